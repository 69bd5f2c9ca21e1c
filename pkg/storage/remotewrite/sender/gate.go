// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"context"
	"sync"
)

// A gate keeps requests from being made while it is shut: while it is not this
// process that ships. The zero value is shut.
type gate struct {
	mu     sync.Mutex
	isOpen bool
	// opened is closed when the gate opens; nil where nobody waits for that.
	opened chan struct{}
	// flying gives up what was let through, by its number; last is the newest.
	flying map[uint64]context.CancelFunc
	last   uint64
}

// open lets requests through.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.isOpen = true
	if g.opened != nil {
		close(g.opened)
		g.opened = nil
	}
}

// close keeps requests back, and gives up those that are being made.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.isOpen = false
	for _, cancel := range g.flying {
		cancel()
	}
}

// lets says whether requests are let through.
func (g *gate) lets() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.isOpen
}

// pass waits until the gate is open. The context that it returns is ctx, and ends
// when the gate shuts, too, until done is called; the error is that of ctx.
func (g *gate) pass(ctx context.Context) (through context.Context, done func(), err error) {
	for {
		through, done, opened := g.try(ctx)
		if opened == nil {
			return through, done, ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx, func() {}, ctx.Err()
		case <-opened:
		}
	}
}

// try passes where the gate is open. Else it returns what is closed when it opens.
func (g *gate) try(ctx context.Context) (through context.Context, done func(), opened chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.isOpen {
		if g.opened == nil {
			g.opened = make(chan struct{})
		}
		return nil, nil, g.opened
	}
	through, cancel := context.WithCancel(ctx)
	if g.flying == nil {
		g.flying = map[uint64]context.CancelFunc{}
	}
	g.last++
	number := g.last
	g.flying[number] = cancel
	return through, func() { g.landed(number) }, nil
}

// landed is the end of what was let through.
func (g *gate) landed(number uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying[number]()
	delete(g.flying, number)
}
