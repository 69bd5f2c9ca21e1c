// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"
)

const (
	// gathering is the least time from one read to the next. So much later than
	// it could we know that a pod or node came, went or changed; a new pod has no
	// samples for longer than that.
	gathering = 400 * time.Millisecond
	// hurrying is how long all is read at once after a connection was made, and
	// after there was so much within the time of gathering that it can only be a
	// list, or more events than wait well.
	hurrying = 10 * time.Second
	much     = 1 << 20
	// readBuffer takes a few events at a time.
	readBuffer = 32 << 10
)

// dialFunc is rest.Config's Dial.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// gathered makes connections of dial on which events are read together.
func gathered(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newGatheredConn(conn), nil
	}
}

// gatheredConn is a connection that reads what comes little by little all at once,
// every so often. A cluster of 30,000 pods has ten or twenty events a second,
// each of which takes 10 us to decode and 200 us to wake up for: a thread, four
// goroutines, and cold caches for each of them. See record 41 of DECISIONS.md.
//
// As any connection it may be used by several goroutines, and reads by one at a
// time.
type gatheredConn struct {
	net.Conn
	buffer *bufio.Reader

	closed     chan struct{} // when Close is called
	closedOnce sync.Once

	// Of the reader alone.
	drained bool      // the last read took all there was
	read    time.Time // when that was
	hurry   time.Time // until when not to wait
	got     int       // bytes in the time of gathering that began at since
	since   time.Time
}

func newGatheredConn(conn net.Conn) *gatheredConn {
	c := &gatheredConn{Conn: conn, closed: make(chan struct{}), hurry: time.Now().Add(hurrying)}
	c.buffer = bufio.NewReaderSize((*drain)(c), readBuffer)
	return c
}

// Read is net.Conn's.
func (c *gatheredConn) Read(p []byte) (int, error) { return c.buffer.Read(p) }

// Close is net.Conn's.
func (c *gatheredConn) Close() error {
	c.closedOnce.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// drain is the connection as its buffer reads it.
type drain gatheredConn

// Read is io.Reader's. Where the last one left nothing behind, it waits for more
// to come.
func (d *drain) Read(p []byte) (int, error) {
	if d.drained {
		d.gather()
	}
	n, err := d.Conn.Read(p)
	d.read, d.drained = time.Now(), n < len(p)
	if d.read.Sub(d.since) >= gathering {
		d.since, d.got = d.read, 0
	}
	if d.got += n; d.got > much {
		d.hurry = d.read.Add(hurrying)
	}
	return n, err
}

func (d *drain) gather() {
	now := time.Now()
	wait := d.read.Add(gathering).Sub(now)
	if wait <= 0 || now.Before(d.hurry) {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.closed:
	}
}
