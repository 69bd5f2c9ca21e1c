// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// reading is a call that waits for bytes which do not come, and what its wait
// ends with.
func reading(t *testing.T, ctx context.Context) (c *call, stop func() bool, got chan error) { //nolint:revive // t comes first in a test helper.
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	c = &call{ctx: ctx}
	stop = c.begin(ours)
	got = make(chan error, 1)
	go func() {
		_, err := ours.Read(make([]byte, 1))
		got <- err
	}()
	synctest.Wait()
	return c, stop, got
}

func TestCallEndsWithItsContext(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(cancel context.CancelFunc)
		want Reason
	}{
		"canceled": {func(cancel context.CancelFunc) { cancel() }, ReasonCanceled},
		"timeout":  {func(context.CancelFunc) { time.Sleep(time.Minute) }, ReasonTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				c, stop, got := reading(t, ctx)
				test.end(cancel)
				synctest.Wait()
				if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the read ended with %v", err)
				}
				// What the budget says now is no news.
				c.yield(errYield)
				if got := ReasonOf(c.failed(ReasonBroken, "read", os.ErrDeadlineExceeded)); got != test.want {
					t.Errorf("reason: got %s, want %s", got, test.want)
				}
				if c.end(stop) {
					t.Error("the connection counts as good")
				}
			})
		})
	}
}

func TestCallYields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, stop, got := reading(t, t.Context())
		c.yield(errYield)
		if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the read ended with %v", err)
		}
		err := c.failed(ReasonBroken, "read", os.ErrDeadlineExceeded)
		if ReasonOf(err) != ReasonNoShare || !errors.Is(err, errYield) {
			t.Errorf("got %v", err)
		}
		if c.end(stop) {
			t.Error("the connection counts as good")
		}
	})
}

func TestCallYieldsWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		other := b.open(func(error) {})
		defer other.close()
		mustGrow(t, t.Context(), other, 100)
		c, stop, _ := reading(t, t.Context())
		defer c.end(stop)
		share := b.open(c.yield)
		got := make(chan error, 1)
		go func() { got <- c.grow(share, 1) }()
		synctest.Wait()
		c.yield(errYield)
		if err := <-got; !errors.Is(err, errYield) {
			t.Errorf("the wait ended with %v", err)
		}
		// It has yielded for good.
		if err := c.grow(share, 1); !errors.Is(err, errYield) {
			t.Errorf("the next wait ended with %v", err)
		}
		if got := b.inUse(); got != 100 {
			t.Errorf("in use: %d", got)
		}
	})
}

func TestLateYieldSparesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, stop, got := reading(t, t.Context())
		if !c.end(stop) {
			t.Error("the connection does not count as good")
		}
		c.yield(errYield)
		synctest.Wait()
		select {
		case err := <-got:
			t.Errorf("the connection was touched: %v", err)
		default:
		}
		if err := c.failed(ReasonBroken, "read", errors.New("x")); ReasonOf(err) != ReasonBroken {
			t.Errorf("got %v", err)
		}
	})
}
