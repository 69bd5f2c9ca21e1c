// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestFlights: lists that come while one is joined share the next join, which
// begins after they have come; and one alone is joined at once.
func TestFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flights
		var joins atomic.Int64
		join := func() *podList {
			joins.Add(1)
			list := &podList{at: now()}
			time.Sleep(time.Second) // of the bubble's time
			return list
		}
		if alone := f.take(join); alone.shared != nil || joins.Load() != 1 {
			t.Errorf("alone: %+v after %d joins", alone, joins.Load())
		}
		var group sync.WaitGroup
		shared := map[*podList]int{}
		var mu sync.Mutex
		for i := range 10 {
			group.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				came := now()
				list := f.take(join)
				if list.at < came {
					t.Errorf("a list of %d ms before it was asked for", came-list.at)
				}
				mu.Lock()
				defer mu.Unlock()
				shared[list]++
				if alone := i == 0; alone != (list.shared == nil) {
					t.Errorf("list %d: %v", i, list.shared)
				}
			})
		}
		group.Wait()
		if joins.Load() != 3 || len(shared) != 2 {
			t.Errorf("%d joins, and %d lists", joins.Load(), len(shared))
		}
	})
}

// TestFlightPanics: a join that panics takes nobody else's list away.
func TestFlightPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flights
		var joins atomic.Int64
		join := func() *podList {
			n := joins.Add(1)
			time.Sleep(time.Second)
			if n == 2 {
				panic("lost it")
			}
			return &podList{}
		}
		var group sync.WaitGroup
		var panicked, joined atomic.Int64
		for i := range 5 {
			group.Go(func() {
				defer func() {
					if recover() != nil {
						panicked.Add(1)
					}
				}()
				time.Sleep(time.Duration(i) * time.Millisecond)
				if f.take(join) != nil {
					joined.Add(1)
				}
			})
		}
		group.Wait()
		if panicked.Load() != 1 || joined.Load() != 4 {
			t.Errorf("%d panicked, %d joined", panicked.Load(), joined.Load())
		}
		if f.take(join) == nil {
			t.Error("nothing flies any more")
		}
	})
}
