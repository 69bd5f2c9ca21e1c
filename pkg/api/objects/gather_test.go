// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// arrival is how much a reader got, and when, from the beginning.
type arrival struct {
	after time.Duration
	bytes int
}

// socket is a connection with a buffer as the kernel's, of which a read takes what
// is there. Its condition orders what the test does and what the reader does.
type socket struct {
	net.Conn

	changed *sync.Cond
	waiting bytes.Buffer
	closed  bool
}

func (s *socket) Read(p []byte) (int, error) {
	s.changed.L.Lock()
	defer s.changed.L.Unlock()
	for s.waiting.Len() == 0 && !s.closed {
		s.changed.Wait()
	}
	if s.closed {
		return 0, net.ErrClosed
	}
	return s.waiting.Read(p)
}

func (s *socket) Close() error {
	s.changed.L.Lock()
	defer s.changed.L.Unlock()
	s.closed = true
	s.changed.Broadcast()
	return nil
}

// gatheringRig reads from a gathered connection until that is closed.
type gatheringRig struct {
	socket *socket
	conn   net.Conn
	done   chan error // has the reader's last word

	mu       sync.Mutex
	arrivals []arrival
}

func newGatheringRig(t *testing.T) *gatheringRig {
	t.Helper()
	r := &gatheringRig{socket: &socket{changed: sync.NewCond(new(sync.Mutex))}, done: make(chan error, 1)}
	dial := gathered(func(context.Context, string, string) (net.Conn, error) { return r.socket, nil })
	var err error
	if r.conn, err = dial(t.Context(), "tcp", ""); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	go func() {
		p := make([]byte, 64<<10)
		for {
			n, err := r.conn.Read(p)
			if err != nil {
				r.done <- err
				return
			}
			r.mu.Lock()
			r.arrivals = append(r.arrivals, arrival{time.Since(begin), n})
			r.mu.Unlock()
		}
	}()
	synctest.Wait()
	return r
}

// come has bytes arrive, and be read if the reader wants to.
func (r *gatheringRig) come(n int) {
	r.socket.changed.L.Lock()
	r.socket.waiting.Write(make([]byte, n))
	r.socket.changed.Broadcast()
	r.socket.changed.L.Unlock()
	synctest.Wait()
}

// taken is what arrived since it was called last.
func (r *gatheringRig) taken() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.arrivals
	r.arrivals = nil
	return taken
}

// close ends the connection, and the reader with it.
func (r *gatheringRig) close(t *testing.T) {
	t.Helper()
	if err := r.conn.Close(); err != nil {
		t.Error(err)
	}
	if err := <-r.done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the reader ended with %v", err)
	}
}

// trickle says how many of five events were not read when they came.
func (r *gatheringRig) trickle() (late int) {
	r.taken()
	for range 5 {
		r.come(5000)
		if len(r.taken()) != 1 {
			late++
		}
		time.Sleep(60 * time.Millisecond)
	}
	return late
}

// TestGathering: an event that comes alone is read at once, those that follow soon
// are read together.
func TestGathering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newGatheringRig(t)
		time.Sleep(hurrying + time.Second)
		for range 10 {
			r.come(5000)
			time.Sleep(60 * time.Millisecond)
		}
		time.Sleep(gathering)
		begin := hurrying + time.Second
		want := []arrival{{begin, 5000}, {begin + gathering, 6 * 5000}, {begin + 2*gathering, 3 * 5000}}
		if got := r.taken(); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		r.close(t)
	})
}

// TestNoGathering: nothing is waited for while a connection is young, and while
// lists come.
func TestNoGathering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newGatheringRig(t)
		if late := r.trickle(); late != 0 {
			t.Errorf("a new connection waited %d times", late)
		}
		time.Sleep(hurrying)
		if late := r.trickle(); late == 0 {
			t.Error("an old connection waits for nothing")
		}
		time.Sleep(time.Second)
		r.come(much + 5000)
		time.Sleep(gathering)
		if late := r.trickle(); late != 0 {
			t.Errorf("after a list a connection waited %d times", late)
		}
		time.Sleep(hurrying)
		if late := r.trickle(); late == 0 {
			t.Error("a list made a connection hurry for ever")
		}
		r.close(t)
	})
}

// TestGatheringGoesOnUnderManyEvents: what comes little by little is no list, however
// much it is in the end; 50 pods a second change in a large cluster.
func TestGatheringGoesOnUnderManyEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newGatheringRig(t)
		for sent := 0; sent < 3*much; sent += 5000 {
			r.come(5000)
			time.Sleep(20 * time.Millisecond)
		}
		if late := r.trickle(); late == 0 {
			t.Error("many events in a row are not read together")
		}
		for sent := 0; sent < 3*much; sent += 50_000 {
			r.come(50_000)
			time.Sleep(gathering + time.Millisecond)
		}
		if late := r.trickle(); late == 0 {
			t.Error("events that came alone are taken for a list")
		}
		r.close(t)
	})
}

// TestClosedWhileGathering: who closes a connection does not wait for its reader.
func TestClosedWhileGathering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newGatheringRig(t)
		time.Sleep(hurrying + time.Second)
		r.come(100)
		closed := time.Now()
		if r.close(t); time.Since(closed) > 0 {
			t.Errorf("the reader ended %v late", time.Since(closed))
		}
	})
}
