// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Endpoint is where a node is asked. It is immutable.
type Endpoint struct {
	// Node is the node's name, for which its certificate may be issued.
	Node string
	// Scheme is https or http.
	Scheme string
	// Hosts are the node's addresses, IP addresses or names, in the order to
	// try; at least one.
	Hosts []string
	// Port is the TCP port.
	Port int
}

// Equal says whether e and o are the same.
func (e Endpoint) Equal(o Endpoint) bool {
	return e.Node == o.Node && e.Scheme == o.Scheme && e.Port == o.Port && slices.Equal(e.Hosts, o.Hosts)
}

// link is an open connection to a node.
type link struct {
	net.Conn
	// raw is the TCP connection below Conn.
	raw net.Conn
	// authority is the address that was dialed, with the port.
	authority string
	// generation is that of the identity it was made with.
	generation uint64
}

// abort makes every read and write of the connection fail, those under way
// included.
func abort(raw net.Conn) { _ = raw.SetDeadline(time.Unix(1, 0)) }

// connect opens a link to the first address that can be dialed, beginning with
// the one that could be last time. What goes wrong after the dialing is not a
// reason to try another address: the node was there.
func (c *Conn) connect(ctx context.Context, id *identity) (*link, error) {
	if c.endpoint.Scheme == "http" && c.client.credentials {
		return nil, &Error{Reason: ReasonCredentials, Err: errors.New("refused to send credentials over plain http")}
	}
	if err := c.client.open.take(dialing); err != nil {
		c.client.counts.noConnection.Add(1)
		return nil, &Error{Reason: ReasonNoConnection, Err: err}
	}
	raw, host, authority, err := c.dial(ctx)
	if err != nil {
		c.client.open.giveBack(dialing)
		return nil, err
	}
	c.client.open.giveBack(dialing - 1)
	l, err := c.link(ctx, id, raw, host, authority)
	if err != nil {
		c.client.open.giveBack(1)
	}
	return l, err
}

// link is the link over an open connection to a host, which is closed where there is none.
func (c *Conn) link(ctx context.Context, id *identity, raw net.Conn, host, authority string) (*link, error) {
	c.client.counts.connections.Add(1)
	l := &link{Conn: raw, raw: raw, authority: authority, generation: id.generation}
	if c.endpoint.Scheme == "http" {
		return l, nil
	}
	below := &records{Conn: raw, pool: &c.client.records}
	secured := tls.Client(below, c.client.trust.config(id, host, c.endpoint.Node))
	if err := c.handshake(ctx, secured, raw); err != nil {
		_ = raw.Close()
		return nil, failed(ctx, ReasonTLS, "connect to "+authority, err)
	}
	if c.client.trust.insecure {
		c.client.counts.unverified.Add(1)
	}
	l.Conn = secured
	return l, nil
}

// longestTurn is how long a handshake counts among those that go on: a node
// that accepts connections and is silent then must not take others' turns.
const longestTurn = time.Second

// handshake waits for its turn and shakes hands.
func (c *Conn) handshake(ctx context.Context, secured *tls.Conn, raw net.Conn) error {
	turns := c.client.handshakes
	select {
	case turns <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	over := sync.OnceFunc(func() { <-turns })
	defer over()
	defer time.AfterFunc(longestTurn, over).Stop()

	stop := context.AfterFunc(ctx, func() { abort(raw) })
	err := secured.Handshake()
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// dial connects to the first address that answers.
func (c *Conn) dial(ctx context.Context) (conn net.Conn, host, authority string, err error) {
	hosts := c.endpoint.Hosts
	if len(hosts) == 0 {
		return nil, "", "", &Error{Reason: ReasonDial, Err: errors.New("node has no address")}
	}
	var errs []error
	for i := range hosts {
		at := (c.preferred + i) % len(hosts)
		authority = net.JoinHostPort(hosts[at], strconv.Itoa(c.endpoint.Port))
		conn, err := c.dialOne(ctx, authority, len(hosts)-i-1)
		if err == nil {
			c.preferred = at
			return conn, hosts[at], authority, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	c.preferred = 0
	err = errors.Join(errs...)
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return nil, "", "", failed(ctx, ReasonCanceled, "dial", err)
	}
	return nil, "", "", &Error{Reason: ReasonDial, Err: err}
}

// dialOne connects to one address. It leaves time for others that follow, so
// that an address that swallows packets does not use up the request's time.
func (c *Conn) dialOne(ctx context.Context, authority string, others int) (net.Conn, error) {
	timeout := c.client.options.DialTimeout
	if deadline, ok := ctx.Deadline(); ok && others > 0 {
		timeout = min(timeout, time.Until(deadline)/time.Duration(others+2))
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return c.client.options.Dial(ctx, "tcp", authority)
}
