// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Conn asks one node. It holds at most one open connection, and none of its
// buffers outlive a request. It must not be used concurrently.
type Conn struct {
	client    *Client
	endpoint  Endpoint
	preferred int   // index in endpoint.Hosts of the address to dial first
	sizeHint  int   // how long the last body was
	live      *link // nil while not connected

	// Of the request under way; they come back from under client-go's wrappers.
	sent, answered time.Time
}

// Answer is one document. Its Body is borrowed until Release.
type Answer struct {
	Body []byte
	// Date is when the node answered by its own clock, in whole seconds; zero
	// where it does not say.
	Date time.Time
	// Sent is when the request was sent, Answered when the header had come,
	// Received when the body was complete, all by our clock.
	Sent, Answered, Received time.Time

	body *body
}

// Release gives the body back. It must be called once.
func (a *Answer) Release() {
	a.Body = nil
	a.body.release()
}

// SetEndpoint makes the next request go to e. The connection is kept where e
// is what it was.
func (c *Conn) SetEndpoint(e Endpoint) {
	if c.endpoint.Equal(e) {
		return
	}
	c.Close()
	c.endpoint, c.preferred = e, 0
}

// Close closes the connection; a later Get opens a new one.
func (c *Conn) Close() {
	if c.live != nil {
		_ = c.live.raw.Close() // Nobody waits for a TLS goodbye.
		c.live = nil
	}
}

// Address is where the open connection goes, or empty.
func (c *Conn) Address() string {
	if c.live == nil {
		return ""
	}
	return c.live.authority
}

// Get fetches the document at path. All of it, from dialing to the last byte,
// happens within ctx. Its errors are of type *Error.
func (c *Conn) Get(ctx context.Context, path, query string) (*Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	share := c.client.budget.open(cancel)
	resp, err := c.client.wrapped.RoundTrip(c.request(ctx, path, query))
	if err != nil {
		if _, ours := errors.AsType[*Error](err); !ours {
			err = failed(ctx, ReasonCredentials, "add credentials", err)
		}
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, badStatus(resp)
	}
	body, err := c.client.bodies.readAnswer(ctx, resp, c.sizeHint, share)
	if err != nil {
		return nil, err
	}
	answer := &Answer{Body: body.whole, Sent: c.sent, Answered: c.answered, Received: time.Now(), body: body}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		answer.Date = date
	}
	// A little more than this time, so that it rarely takes a second buffer.
	c.sizeHint = len(body.whole) + len(body.whole)/8
	return answer, nil
}

func (c *Conn) request(ctx context.Context, path, query string) *http.Request {
	header := http.Header{
		"Accept":          {"text/plain;version=0.0.4,application/json;q=0.9,*/*;q=0.1"},
		"Accept-Encoding": {"identity"},
	}
	if c.client.options.AcceptGzip {
		header["Accept-Encoding"] = []string{"gzip"}
	}
	request := &http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Scheme: c.endpoint.Scheme, Host: c.endpoint.Node, Path: path, RawQuery: query},
		Header: header,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	// The wrappers are shared by all nodes; the context leads back to this one.
	return request.WithContext(context.WithValue(ctx, connKey{}, c))
}

// badStatus is the error of an answer that is not 200. What a kubelet says with
// it, such as which right is missing, is worth reading.
func badStatus(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxStatusIn))
	message := strings.ToValidUTF8(strings.TrimSpace(string(text[:min(len(text), 256)])), "?")
	err := &Error{Reason: ReasonStatus, Status: resp.StatusCode, Err: fmt.Errorf("node answered %d: %q", resp.StatusCode, message)}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		err.Reason = ReasonRedirect
		err.Err = fmt.Errorf("node answered %d, and redirects are not followed", resp.StatusCode)
	}
	return err
}

type connKey struct{}

// roundTripper is below client-go's wrappers: it finds the Conn of a request.
type roundTripper struct{}

func (roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	c, ok := request.Context().Value(connKey{}).(*Conn)
	if !ok {
		return nil, errors.New("BUG: a wrapper dropped the request's context")
	}
	return c.roundTrip(request)
}

// roundTrip sends the request over the kept connection, or over a new one. A
// kept one may turn out to have been closed by the node meanwhile: then, and
// only if not a byte of an answer came, it is tried once more over a new one.
func (c *Conn) roundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	id := c.client.trust.refresh(ctx, time.Now())
	if c.live != nil && c.live.generation != id.generation {
		c.Close()
	}
	if c.live != nil {
		resp, stale, err := c.exchange(request)
		if !stale || ctx.Err() != nil {
			return resp, err
		}
	}
	live, err := c.connect(ctx, id)
	if err != nil {
		return nil, err
	}
	c.live = live
	resp, _, err := c.exchange(request)
	return resp, err
}

// exchange sends the request over the open connection and reads the answer's
// header. The response's body is an *exchange. stale says that the connection
// was dead before the answer began. After an error the connection is closed.
func (c *Conn) exchange(request *http.Request) (resp *http.Response, stale bool, err error) {
	ctx := request.Context()
	e := &exchange{conn: c, link: c.live, gate: gate{r: c.live, left: c.client.options.MaxHeaderBytes}}
	e.stop = context.AfterFunc(ctx, abort(c.live.raw))
	e.reader = c.client.readers.Get().(*bufio.Reader)
	e.reader.Reset(&e.gate)

	c.sent = time.Now()
	if err := e.send(request); err != nil {
		_ = e.Close()
		return nil, true, failed(ctx, ReasonBroken, "send the request to "+e.link.authority, err)
	}
	resp, err = e.header(request)
	if err != nil {
		stale = e.gate.read == 0
		_ = e.Close()
		if e.gate.exceeded {
			c.client.counts.headerTooLarge.Add(1)
			return nil, false, &Error{Reason: ReasonTooLarge, Err: fmt.Errorf("read the answer of %s: header is larger than the bound of %d bytes", e.link.authority, c.client.options.MaxHeaderBytes)}
		}
		return nil, stale, failed(ctx, ReasonBroken, "read the answer of "+e.link.authority, err)
	}
	c.answered = time.Now()
	e.gate.left = -1
	e.body, e.last = resp.Body, resp.Close
	resp.Body = e
	return resp, false, nil
}

// exchange is one request and its answer, and the body of that answer. It owns
// the connection until it is closed.
type exchange struct {
	conn   *Conn
	link   *link
	gate   gate
	reader *bufio.Reader
	stop   func() bool
	body   io.ReadCloser
	last   bool // the node closes the connection after this answer
	ended  bool // the body was read to its end
	closed bool
}

func (e *exchange) send(request *http.Request) error {
	buffer := e.conn.client.writers.Get().(*bytes.Buffer)
	defer e.conn.client.writers.Put(buffer)
	buffer.Reset()
	// A copy, because a RoundTripper must not write to the request.
	out := *request
	out.Host = e.link.authority
	if err := out.Write(buffer); err != nil {
		return err
	}
	_, err := e.link.Write(buffer.Bytes())
	return err
}

// header reads the answer's status and header, past interim answers.
func (e *exchange) header(request *http.Request) (*http.Response, error) {
	const maxInterim = 5
	for range maxInterim {
		resp, err := http.ReadResponse(e.reader, request)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 200 {
			return resp, nil
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return nil, errors.New("node switched protocols unasked")
		}
	}
	return nil, errors.New("node sends interim answers only")
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
	clean := e.stop() && e.ended && !e.last && e.reader.Buffered() == 0
	if !clean && e.conn.live == e.link {
		e.conn.Close()
	}
	e.reader.Reset(nil)
	e.conn.client.readers.Put(e.reader)
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
