// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelettest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// Network is a network in memory. Its connections have no buffers and no
// latency; they work inside a testing/synctest bubble. It is safe for
// concurrent use.
type Network struct {
	mu struct {
		sync.Mutex
		listeners map[string]*pipeListener
		silent    map[string]bool
		dials     map[string]int
	}
}

// NewNetwork is an empty network.
func NewNetwork() *Network {
	n := &Network{}
	n.mu.listeners = map[string]*pipeListener{}
	n.mu.silent = map[string]bool{}
	n.mu.dials = map[string]int{}
	return n
}

// Dial connects to an address: refused where nobody listens, and without an
// answer until ctx ends where SetSilent says so.
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	listener, silent := n.mu.listeners[address], n.mu.silent[address]
	n.mu.dials[address]++
	n.mu.Unlock()
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: pipeAddr(address), Err: err}
	}
	if silent {
		<-ctx.Done()
		return fail(ctx.Err())
	}
	if listener == nil {
		return fail(syscall.ECONNREFUSED)
	}
	ours, theirs := net.Pipe()
	select {
	case listener.accepts <- addressed{theirs, pipeAddr(address)}:
		return ours, nil
	case <-listener.closed:
		return fail(syscall.ECONNREFUSED)
	case <-ctx.Done():
		return fail(ctx.Err())
	}
}

// Listen listens on an address, host:port.
func (n *Network) Listen(address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.listeners[address] != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, syscall.EADDRINUSE)
	}
	l := &pipeListener{network: n, address: address, accepts: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.listeners[address] = l
	return l, nil
}

// SetSilent says whether an address swallows all packets.
func (n *Network) SetSilent(address string, silent bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.silent[address] = silent
}

// Dials is how often an address was dialed.
func (n *Network) Dials(address string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.dials[address]
}

type pipeAddr string

func (pipeAddr) Network() string  { return "pipe" }
func (a pipeAddr) String() string { return string(a) }

// addressed is a connection that knows where it was dialed.
type addressed struct {
	net.Conn
	local pipeAddr
}

func (c addressed) LocalAddr() net.Addr { return c.local }

type pipeListener struct {
	network *Network
	address string
	accepts chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accepts:
		return conn, nil
	case <-l.closed:
		return nil, errors.Join(net.ErrClosed)
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.network.mu.Lock()
		defer l.network.mu.Unlock()
		delete(l.network.mu.listeners, l.address)
	})
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr(l.address) }
