// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

const (
	// keptFor is how long a result is good: many HPAs of a namespace ask within a
	// second.
	keptFor = time.Second
	// maxKept is how many results are kept, those that are being made among them.
	maxKept = 4096
	// sweptEvery is how often results that are no longer good are dropped.
	sweptEvery = 10 * time.Second
)

// active is a rule in force.
type active struct {
	*Compiled
	// since is from when on its series have been selected.
	since storage.Millis
	// turn is held by its one evaluation that runs; budget is what it may take.
	turn   chan struct{}
	budget *budget
	// counters are shared by all rules of its name.
	counters *counters
}

// results are the newest results of rules.
type results struct {
	evaluator *Evaluator
	// slots is held by evaluations that run.
	slots chan struct{}

	mu struct {
		sync.Mutex
		byKey map[resultKey]*pending
		// swept is when results were looked through last.
		swept time.Time
	}
}

type resultKey struct {
	rule      *active
	namespace string
}

// pending is a result that is being made until done is closed.
type pending struct {
	done   chan struct{}
	result *Result
	// until is how long it is good.
	until time.Time
}

func newResults(evaluator *Evaluator, concurrency int) *results {
	r := &results{evaluator: evaluator, slots: make(chan struct{}, concurrency)}
	r.mu.byKey = map[resultKey]*pending{}
	return r
}

// of is the result of a rule for a namespace, not older than keptFor. Who asks
// while it is made waits for it. The error is that it did not come in time.
func (r *results) of(ctx context.Context, rule *active, namespace string) (*Result, error) {
	key := resultKey{rule, namespace}
	now := time.Now()
	r.mu.Lock()
	p := r.mu.byKey[key]
	if p == nil || p.isOver(now) {
		if p == nil && !r.makeRoomLocked(now) {
			r.mu.Unlock()
			rule.counters.failures[noRoom].Add(1)
			return &Result{Err: errNoRoom, failed: noRoom}, nil
		}
		p = &pending{done: make(chan struct{})}
		r.mu.byKey[key] = p
		r.mu.Unlock()
		r.produce(ctx, p, key)
	} else {
		r.mu.Unlock()
		rule.counters.shared.Add(1)
	}
	select {
	case <-p.done:
		return p.result, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("rule %s is still being evaluated: %w", rule.rule.Name, context.Cause(ctx))
	}
}

// isMade is whether the result is there.
func (p *pending) isMade() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// isOver is whether the result is there and no longer good.
func (p *pending) isOver(now time.Time) bool { return p.isMade() && !now.Before(p.until) }

// produce makes the result. It is made for all who wait, so it goes on when the one
// who asked first has gone, and it always ends.
func (r *results) produce(ctx context.Context, p *pending, key resultKey) {
	p.result = &Result{Err: fmt.Errorf("BUG: the evaluation of rule %s broke off", key.rule.rule.Name)}
	defer close(p.done)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*evaluationTimeout)
	defer cancel()
	p.result = r.evaluate(ctx, key)
	if p.result.Err != nil {
		key.rule.counters.failures[p.result.failed].Add(1)
	}
	now := time.Now()
	p.until = now.Add(keptFor)
	if wait := key.rule.budget.wait(now); p.result.Err != nil && wait > keptFor {
		p.until = now.Add(wait)
	}
}

// evaluate waits for its turn and evaluates.
func (r *results) evaluate(ctx context.Context, key resultKey) *Result {
	rule := key.rule
	if wait := rule.budget.wait(time.Now()); wait > 0 {
		return &Result{failed: overBudget, Err: fmt.Errorf("it has used up its share of CPU, a quarter of one, and waits %v: make it cheaper by more labels, shorter ranges, or longer steps", wait.Round(100*time.Millisecond))}
	}
	late := &Result{failed: noTurn, Err: fmt.Errorf("its turn did not come within %v, because others are being evaluated", 2*evaluationTimeout)}
	if !enter(ctx, rule.turn) {
		return late
	}
	defer leave(rule.turn)
	if !enter(ctx, r.slots) {
		return late
	}
	defer leave(r.slots)
	ctx, cancel := context.WithTimeout(ctx, evaluationTimeout)
	defer cancel()
	start := time.Now()
	result := r.evaluator.Evaluate(ctx, rule.Compiled, key.namespace, storage.MillisOf(start), rule.since)
	end := time.Now()
	rule.budget.spend(end, end.Sub(start))
	rule.counters.evaluated(result, end.Sub(start))
	return result
}

// enter takes a place in a room, unless the context ends before there is one.
func enter(ctx context.Context, room chan struct{}) bool {
	select {
	case room <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func leave(room chan struct{}) { <-room }

// errNoRoom is that as many evaluations wait as may.
var errNoRoom = fmt.Errorf("%d evaluations are waiting already", maxKept)

// makeRoomLocked makes room for one more result: what is over goes, and if that is
// not enough, an eighth of what is there, whose next requests are evaluated. There is
// no room where all of it is being made.
func (r *results) makeRoomLocked(now time.Time) bool {
	if len(r.mu.byKey) < maxKept && now.Sub(r.mu.swept) < sweptEvery {
		return true
	}
	r.mu.swept = now
	for key, p := range r.mu.byKey {
		if p.isOver(now) {
			delete(r.mu.byKey, key)
		}
	}
	if len(r.mu.byKey) < maxKept {
		return true
	}
	for key, p := range r.mu.byKey {
		if len(r.mu.byKey) <= maxKept*7/8 {
			break
		}
		if p.isMade() {
			delete(r.mu.byKey, key)
		}
	}
	return len(r.mu.byKey) < maxKept
}
