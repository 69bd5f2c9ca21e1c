// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"sync"
	"time"
)

// A rule's share of a CPU, and how much of it can be saved up.
const (
	budgetShare = 0.25
	budgetMost  = 5 * time.Second
)

// budget is the time that a rule may take for its evaluations. So a rule that takes
// all it can get takes a quarter of a CPU, and leaves the rest to others.
type budget struct {
	mu struct {
		sync.Mutex
		left time.Duration
		at   time.Time
	}
}

func newBudget(now time.Time) *budget {
	b := &budget{}
	b.mu.left, b.mu.at = budgetMost, now
	return b
}

// wait is how long it takes until there is something left; 0 is not at all.
func (b *budget) wait(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refillLocked(now)
	if b.mu.left > 0 {
		return 0
	}
	return time.Duration(float64(-b.mu.left)/budgetShare) + time.Millisecond
}

// spend takes what an evaluation took.
func (b *budget) spend(now time.Time, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refillLocked(now)
	b.mu.left -= took
}

func (b *budget) refillLocked(now time.Time) {
	if passed := now.Sub(b.mu.at); passed > 0 {
		b.mu.left = min(budgetMost, b.mu.left+time.Duration(float64(passed)*budgetShare))
		b.mu.at = now
	}
}
