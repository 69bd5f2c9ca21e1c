// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// reply is an answer up to its body.
type reply struct {
	status int
	// length is that of the body as it comes; -1 where nobody says it.
	length int64
	// encoding and date are the fields of the header, empty where there are none.
	encoding string
	date     time.Time
	body     io.ReadCloser
}

// replyOf is what matters of a response.
func replyOf(resp *http.Response) reply {
	r := reply{
		status: resp.StatusCode, length: resp.ContentLength,
		encoding: resp.Header.Get("Content-Encoding"), body: resp.Body,
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		r.date = date
	}
	return r
}

// roundTrip asks the question over the kept connection, or over a new one. A
// kept one may turn out to have been closed by the node meanwhile: then, and
// only if not a byte of an answer came, it is tried once more over a new one.
func (c *call) roundTrip(q *question) (*exchange, error) {
	conn := c.conn
	id := conn.client.trust.refresh(c.ctx, time.Now())
	if conn.live != nil && conn.live.generation != id.generation {
		conn.Close()
	}
	if conn.live != nil {
		e, stale, err := c.exchange(q)
		if !stale || c.ctx.Err() != nil {
			return e, err
		}
	}
	live, err := conn.connect(c.ctx, id)
	if err != nil {
		return nil, err
	}
	conn.live = live
	e, _, err := c.exchange(q)
	return e, err
}

// exchange asks over the open connection and reads the answer's header. stale
// says that the connection was dead before the answer began. After an error the
// connection is closed.
func (c *call) exchange(q *question) (e *exchange, stale bool, err error) {
	client, l := c.conn.client, c.conn.live
	e = &exchange{call: c, link: l, gate: gate{r: l, left: client.options.MaxHeaderBytes}}
	e.stop = c.begin(l.raw)
	e.reader = client.readers.Get().(*bufio.Reader)
	e.reader.Reset(&e.gate)

	c.sent = time.Now()
	if err := e.send(q); err != nil {
		_ = e.Close()
		return nil, true, c.failed(ReasonBroken, "send the request to "+l.authority, err)
	}
	if err := e.header(q.request); err != nil {
		stale = e.gate.read == 0
		_ = e.Close()
		if e.gate.exceeded {
			client.counts.headerTooLarge.Add(1)
			return nil, false, &Error{Reason: ReasonTooLarge, Err: fmt.Errorf("read the answer of %s: header is larger than the bound of %d bytes", l.authority, client.options.MaxHeaderBytes)}
		}
		return nil, stale, c.failed(ReasonBroken, "read the answer of "+l.authority, err)
	}
	c.answered = time.Now()
	e.gate.left = -1
	return e, false, nil
}

// exchange is one question and its answer, and the body of that answer. It owns
// the connection until it is closed.
type exchange struct {
	call   *call
	link   *link
	gate   gate
	reader *bufio.Reader
	stop   func() bool

	reply    reply          // whose body is the exchange
	response *http.Response // nil: the answer had the common form
	// The framing of the body is one of these three.
	sized   sizedBody
	chunked chunkedBody
	body    io.Reader

	last   bool // the node closes the connection after this answer
	ended  bool // the body was read to its end
	closed bool
}

func (e *exchange) send(q *question) error {
	writers := &e.call.conn.client.writers
	buffer := writers.Get().(*bytes.Buffer)
	defer writers.Put(buffer)
	buffer.Reset()
	if err := q.appendTo(buffer, e.link.authority); err != nil {
		return err
	}
	_, err := e.link.Write(buffer.Bytes())
	return err
}

// header reads the answer's status and header, past interim answers. Where the
// question was a request of the wrappers, they want a response back.
func (e *exchange) header(request *http.Request) error {
	if request == nil && e.commonHeader() {
		return nil
	}
	const maxInterim = 5
	for range maxInterim {
		resp, err := http.ReadResponse(e.reader, request) //nolint:bodyclose // The exchange is what is closed.
		if err != nil {
			return err
		}
		if resp.StatusCode >= 200 {
			e.body, e.last = resp.Body, resp.Close
			resp.Body = e
			e.response, e.reply = resp, replyOf(resp)
			return nil
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return errors.New("node switched protocols unasked")
		}
	}
	return errors.New("node sends interim answers only")
}

// commonHeader reads a header that comes at once and in the common form. Else it
// is false and has read nothing.
func (e *exchange) commonHeader() bool {
	if _, err := e.reader.Peek(1); err != nil {
		return false // Which comes again.
	}
	data, _ := e.reader.Peek(e.reader.Buffered())
	h, size, ok := parseHead(data)
	if !ok {
		return false
	}
	e.reply = reply{status: http.StatusOK, length: h.length, encoding: h.encoding, body: e}
	if date, err := http.ParseTime(string(h.date)); err == nil {
		e.reply.date = date
	}
	_, _ = e.reader.Discard(size)
	e.last = h.last
	if h.length >= 0 {
		e.sized = sizedBody{e.reader, h.length}
		e.body = &e.sized
	} else {
		e.chunked = newChunkedBody(e.reader)
		e.body = &e.chunked
	}
	return true
}

func (e *exchange) Read(p []byte) (int, error) {
	if e.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := e.body.Read(p)
	e.ended = err == io.EOF
	return n, err
}

// Close ends the exchange. The connection is kept only if it is certain that
// the next byte on it belongs to the next answer.
func (e *exchange) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	conn := e.call.conn
	clean := e.call.end(e.stop) && e.ended && !e.last && e.reader.Buffered() == 0 && !conn.client.open.crowded()
	if !clean && conn.live == e.link {
		conn.Close()
	}
	e.reader.Reset(nil)
	conn.client.readers.Put(e.reader)
	return nil
}

// gate counts what comes over the connection and bounds it while left is not
// negative.
type gate struct {
	r        io.Reader
	left     int64
	read     int64
	exceeded bool
}

func (g *gate) Read(p []byte) (int, error) {
	if g.left == 0 {
		// The parser takes it for the end, and may say something else of it.
		g.exceeded = true
		return 0, io.ErrUnexpectedEOF
	}
	if g.left > 0 && int64(len(p)) > g.left {
		p = p[:g.left]
	}
	n, err := g.r.Read(p)
	g.read += int64(n)
	if g.left > 0 {
		g.left -= int64(n)
	}
	return n, err
}
