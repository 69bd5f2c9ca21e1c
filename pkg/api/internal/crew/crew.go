// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package crew

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// Hand is a goroutine that does one thing.
type Hand struct {
	done chan struct{}
	// panicked is what it panicked with, and where; "" is that it did not.
	panicked string
}

// Start has do done in a goroutine, for which Wait must be called.
func Start(do func()) *Hand {
	h := &Hand{done: make(chan struct{})}
	go func() {
		defer close(h.done)
		defer func() {
			if value := recover(); value != nil {
				h.panicked = fmt.Sprintf("%v\n\n%s", value, debug.Stack())
			}
		}()
		do()
	}()
	return h
}

// Wait waits until it is done, and panics if it did.
func (h *Hand) Wait() {
	<-h.done
	if h.panicked != "" {
		panic("BUG: " + h.panicked)
	}
}

// Each does all pieces, from 0 on: in the caller's goroutine, and in as many more
// as there are processors for. It returns when all are done.
func Each(pieces int, do func(piece int)) {
	if pieces == 1 { // as nearly all requests have
		do(0)
		return
	}
	each(pieces, do)
}

func each(pieces int, do func(piece int)) {
	var next atomic.Int64
	work := func() {
		for {
			piece := int(next.Add(1)) - 1
			if piece >= pieces {
				return
			}
			do(piece)
		}
	}
	hands := make([]*Hand, max(0, min(pieces, runtime.GOMAXPROCS(0))-1))
	for i := range hands {
		hands[i] = Start(work)
	}
	defer waitAll(hands)
	work()
}

// waitAll waits for all, and then panics if one did.
func waitAll(hands []*Hand) {
	if len(hands) == 0 {
		return
	}
	defer waitAll(hands[1:])
	hands[0].Wait()
}
