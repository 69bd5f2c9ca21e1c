// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"context"
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

	body body
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
		c.client.open.giveBack(1)
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
	call := &call{conn: c, ctx: ctx}
	reply, err := call.ask(url.URL{Path: path, RawQuery: query})
	if err != nil {
		return nil, err
	}
	defer func() { _ = reply.body.Close() }()
	if reply.status != http.StatusOK {
		return nil, badStatus(reply)
	}
	answer := &Answer{Sent: call.sent, Answered: call.answered, Date: reply.date}
	if err := c.client.bodies.read(call, reply, c.sizeHint, &answer.body); err != nil {
		return nil, err
	}
	answer.Received = time.Now()
	answer.Body = answer.body.whole
	// A little more than this time, so that it rarely takes a second buffer.
	c.sizeHint = len(answer.Body) + len(answer.Body)/8
	return answer, nil
}

// ask sends the request and reads the answer up to its body.
func (c *call) ask(document url.URL) (reply, error) {
	client := c.conn.client
	if client.wrapped != nil {
		return c.askWrapped(document)
	}
	fields, err := client.fields.get(c.ctx, time.Now())
	if err != nil {
		return reply{}, c.failed(ReasonCredentials, "add credentials", err)
	}
	e, err := c.roundTrip(&question{document: document, fields: fields})
	if err != nil {
		return reply{}, err
	}
	if e.reply.status == http.StatusUnauthorized {
		client.fields.refused(fields)
	}
	return e.reply, nil
}

// badStatus is the error of an answer that is not 200. What a kubelet says with
// it, such as which right is missing, is worth reading.
func badStatus(r reply) error {
	text, _ := io.ReadAll(io.LimitReader(r.body, maxStatusIn))
	message := strings.ToValidUTF8(strings.TrimSpace(string(text[:min(len(text), 256)])), "?")
	err := &Error{Reason: ReasonStatus, Status: r.status, Err: fmt.Errorf("node answered %d: %q", r.status, message)}
	if r.status >= 300 && r.status < 400 {
		err.Reason = ReasonRedirect
		err.Err = fmt.Errorf("node answered %d, and redirects are not followed", r.status)
	}
	return err
}
