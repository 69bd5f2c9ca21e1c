// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// probePeriod is how often a Balancer asks whether its servers are ready: what
// kubelet and endpoints need together, at best.
const probePeriod = 500 * time.Millisecond

// Balancer is a Service in front of servers: it hands each new connection to
// the next one that was ready when it was last asked. Connections that exist
// stay where they are, as with kube-proxy.
type Balancer struct {
	// Port is where it listens.
	Port int

	mu struct {
		sync.Mutex
		servers map[*Server]bool // whether it is ready
		next    int
	}
}

// NewBalancer is a balancer without servers. It ends with the test.
func NewBalancer(t testing.TB) *Balancer {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b := &Balancer{}
	if b.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	b.mu.servers = map[*Server]bool{}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var group sync.WaitGroup
	group.Go(func() { b.probe(ctx) })
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() { b.forward(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		group.Wait()
	})
	return b
}

// Add puts a server that is ready behind the balancer.
func (b *Balancer) Add(s *Server) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.servers[s] = true
}

// Remove takes a server away that has ended.
func (b *Balancer) Remove(s *Server) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.mu.servers, s)
}

// probe asks the servers whether they are ready until ctx ends.
func (b *Balancer) probe(ctx context.Context) {
	tick := time.NewTicker(probePeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, s := range b.all() {
			ask, cancel := context.WithTimeout(ctx, time.Second)
			ready := s.Ready(ask) == nil
			cancel()
			b.mu.Lock()
			if _, ok := b.mu.servers[s]; ok {
				b.mu.servers[s] = ready
			}
			b.mu.Unlock()
		}
	}
}

func (b *Balancer) all() []*Server {
	b.mu.Lock()
	defer b.mu.Unlock()
	servers := make([]*Server, 0, len(b.mu.servers))
	for s := range b.mu.servers {
		servers = append(servers, s)
	}
	return servers
}

// pick is the next server that is ready, 0 where none is.
func (b *Balancer) pick() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ready []int
	for s, ok := range b.mu.servers {
		if ok {
			ready = append(ready, s.Port)
		}
	}
	if len(ready) == 0 {
		return 0
	}
	b.mu.next++
	return ready[b.mu.next%len(ready)]
}

// forward carries bytes in both directions until one side ends or ctx does.
func (b *Balancer) forward(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	port := b.pick()
	if port == 0 {
		return
	}
	backend, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return
	}
	defer backend.Close()
	defer context.AfterFunc(ctx, func() {
		_ = conn.Close()
		_ = backend.Close()
	})()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(backend, conn)
		_ = backend.Close()
	}()
	_, _ = io.Copy(conn, backend)
	_ = conn.Close()
	<-done
}
