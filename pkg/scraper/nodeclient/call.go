// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// call is one request under way, from Get's beginning to its end. It is ended
// early by its context, and by the budget, whose largest yields.
//
// It is not a context, because one that can be canceled, derived from another
// that can be, costs more than all else of a request that is ours; there is one
// for the time that the budget is waited for.
type call struct {
	conn *Conn
	// ctx is that of Get, or one that client-go's wrappers derived from it.
	ctx context.Context
	// sent is when the request was sent, answered when the header had come.
	sent, answered time.Time

	mu struct {
		sync.Mutex
		raw     net.Conn                // that is read and written now; nil: none
		aborted bool                    // so that raw is of no use any more
		yielded bool                    // the budget was the first to end the call
		waiting context.CancelCauseFunc // nil: the budget is not waited for
	}
}

// begin makes an end of the call, until end is called, an end of all reads and
// writes of raw.
func (c *call) begin(raw net.Conn) (stop func() bool) {
	c.mu.Lock()
	c.mu.raw, c.mu.aborted = raw, false
	c.mu.Unlock()
	return context.AfterFunc(c.ctx, c.abort)
}

// end says whether raw is as it was. stop is what begin returned.
func (c *call) end(stop func() bool) bool {
	stopped := stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.raw = nil
	return stopped && !c.mu.aborted
}

// abort is called when the context has ended.
func (c *call) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.abortLocked()
}

func (c *call) abortLocked() {
	if c.mu.raw != nil {
		c.mu.aborted = true
		abort(c.mu.raw)
	}
}

// yield is called by the budget. It may come late, when there is nothing left
// to end.
func (c *call) yield(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.raw == nil {
		return
	}
	c.mu.yielded = c.mu.yielded || c.ctx.Err() == nil
	c.abortLocked()
	if c.mu.waiting != nil {
		c.mu.waiting(cause)
	}
}

// grow adds n bytes to the call's share of the budget.
func (c *call) grow(s *share, n int64) error {
	if s.tryGrow(n) {
		return nil
	}
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	c.mu.Lock()
	c.mu.waiting = cancel
	if c.mu.yielded {
		cancel(errYield)
	}
	c.mu.Unlock()
	err := s.grow(ctx, n)
	c.mu.Lock()
	c.mu.waiting = nil
	c.mu.Unlock()
	return err
}

// failed is err with its reason, unless the call's end tells the true one.
func (c *call) failed(reason Reason, doing string, err error) error {
	c.mu.Lock()
	yielded := c.mu.yielded
	c.mu.Unlock()
	if yielded {
		return &Error{Reason: ReasonNoShare, Err: fmt.Errorf("%s: %w", doing, errYield)}
	}
	return failed(c.ctx, reason, doing, err)
}
