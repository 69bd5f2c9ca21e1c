// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// opened is a share of b and the context that its yielding cancels.
func opened(t *testing.T, b *budget) (context.Context, *share) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	s := b.open(cancel)
	t.Cleanup(func() { cancel(nil); s.close() })
	return ctx, s
}

func mustGrow(t *testing.T, ctx context.Context, s *share, n int64) { //nolint:revive // t comes first in a test helper.
	t.Helper()
	if err := s.grow(ctx, n); err != nil {
		t.Fatalf("grow by %d: %v", n, err)
	}
}

func TestBudgetLargestYieldsToSmaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		bigCtx, big := opened(t, b)
		midCtx, mid := opened(t, b)
		smallCtx, small := opened(t, b)
		mustGrow(t, bigCtx, big, 60)
		mustGrow(t, midCtx, mid, 40)

		got := make(chan error, 1)
		go func() { got <- small.grow(smallCtx, 10) }()
		synctest.Wait()
		if !errors.Is(context.Cause(bigCtx), errYield) {
			t.Errorf("cause of the largest: got %v, want %v", context.Cause(bigCtx), errYield)
		}
		if midCtx.Err() != nil {
			t.Errorf("the second largest was canceled too, though the largest gave enough")
		}
		big.close()
		if err := <-got; err != nil {
			t.Errorf("the small one got %v", err)
		}
		if got, want := b.inUse(), int64(50); got != want {
			t.Errorf("in use: got %d, want %d", got, want)
		}
	})
}

func TestBudgetLargestWaitsForSmaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		smallCtx, small := opened(t, b)
		bigCtx, big := opened(t, b)
		mustGrow(t, smallCtx, small, 30)
		mustGrow(t, bigCtx, big, 60)
		got := make(chan error, 1)
		go func() { got <- big.grow(bigCtx, 40) }()
		synctest.Wait()
		if smallCtx.Err() != nil {
			t.Fatal("a smaller one was canceled for a larger one")
		}
		// One that needs less than what is free does not wait behind it.
		tinyCtx, tiny := opened(t, b)
		mustGrow(t, tinyCtx, tiny, 10)
		tiny.close()
		small.close()
		if err := <-got; err != nil {
			t.Errorf("the large one got %v after there was room", err)
		}
	})
}

func TestBudgetGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		ctx, first := opened(t, b)
		mustGrow(t, ctx, first, 100)
		cause := errors.New("over")
		waitCtx, cancel := context.WithCancelCause(t.Context())
		second := b.open(cancel)
		got := make(chan error, 1)
		go func() { got <- second.grow(waitCtx, 100) }()
		synctest.Wait()
		cancel(cause)
		if err := <-got; !errors.Is(err, cause) {
			t.Errorf("got %v, want %v", err, cause)
		}
		second.close()
		first.close()
		if got := b.inUse(); got != 0 {
			t.Errorf("in use at the end: %d", got)
		}
	})
}

func TestBudgetIsNeverStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(48)
		grown := make(chan error, 2)
		for range 2 {
			ctx, s := opened(t, b)
			mustGrow(t, ctx, s, 16)
			go func() {
				err := s.grow(ctx, 24)
				s.close()
				grown <- err
			}()
		}
		first, second := <-grown, <-grown
		if (first == nil) == (second == nil) {
			t.Errorf("got %v and %v, want that one yields to the other", first, second)
		}
	})
}
