// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"sync/atomic"
	"time"
)

// Stats are what happened to the rules of one name. Counters begin with 0 when a rule
// of that name comes, and go on when it changes.
type Stats struct {
	// Rule is the name.
	Rule string
	// Evaluations is how many there were that gave a result, and Shared how many
	// requests were answered with a result that was there, or was being made.
	Evaluations, Shared uint64
	// Failures is why there was no result, by reason, and Omitted why objects, or
	// series of external metrics, had no value in an answer. Reasons that did not
	// come up are not there.
	Failures, Omitted map[string]uint64
	// Took is how many evaluations, also of those that failed, took at most as long
	// as each of DurationBounds, and all of them after that; not cumulative. Seconds
	// is what all took together.
	Took    []uint64
	Seconds float64
}

// durationBounds is how many there are.
const durationBounds = 9

// DurationBounds are what durations of evaluations are counted by, in seconds.
func DurationBounds() [durationBounds]float64 {
	return [...]float64{0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1}
}

// failure is why an evaluation has no result.
type failure uint8

const (
	failedItself failure = iota // The expression cannot be evaluated over what there is.
	tookTooLong
	tookTooMuch
	overBudget
	noTurn
	noRoom
	failures
)

// String is the reason as a label's value.
func (f failure) String() string {
	return [...]string{"expression", "timeout", "too_many_samples", "over_budget", "no_turn", "too_many_waiting"}[f]
}

// label is the reason as a label's value.
func (r reason) label() string {
	return [...]string{
		present: "", tooOld: "too_old", oneSample: "one_sample", noneThen: "no_sample_then", noAnswer: "node_not_answered",
		incomplete: "incomplete", noResult: "no_result", ambiguous: "several_results", notANumber: "not_a_number",
		infinite: "infinite", negative: "negative", otherLabels: "metric_selector",
	}[r]
}

// counters count what happens to the rules of a name. They are 250 bytes.
type counters struct {
	evaluations, shared atomic.Uint64
	failures            [failures]atomic.Uint64
	omitted             [reasons]atomic.Uint64
	took                [durationBounds + 1]atomic.Uint64
	nanos               atomic.Int64
}

// evaluated takes down that an evaluation ended.
func (c *counters) evaluated(result *Result, took time.Duration) {
	bounds, bucket := DurationBounds(), 0
	for bucket < len(bounds) && took.Seconds() > bounds[bucket] {
		bucket++
	}
	c.took[bucket].Add(1)
	c.nanos.Add(int64(took))
	if result.Err == nil {
		c.evaluations.Add(1)
	}
}

// stats is what was counted of the rules of a name.
func (c *counters) stats(name string) Stats {
	s := Stats{
		Rule: name, Evaluations: c.evaluations.Load(), Shared: c.shared.Load(),
		Failures: map[string]uint64{}, Omitted: map[string]uint64{},
		Took: make([]uint64, len(c.took)), Seconds: time.Duration(c.nanos.Load()).Seconds(),
	}
	for f := range failures {
		if n := c.failures[f].Load(); n > 0 {
			s.Failures[f.String()] = n
		}
	}
	for r := range reasons {
		if n := c.omitted[r].Load(); n > 0 {
			s.Omitted[r.label()] = n
		}
	}
	for i := range c.took {
		s.Took[i] = c.took[i].Load()
	}
	return s
}

// Stats are those of the rules in force, in no order. Each name comes once.
func (p *Provider) Stats() []Stats {
	f := p.current.Load()
	all := make([]Stats, 0, len(f.counters))
	for name, c := range f.counters {
		all = append(all, c.stats(name))
	}
	return all
}

// Kept is how many results are kept at the moment.
func (p *Provider) Kept() int {
	r := p.current.Load().results
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.mu.byKey)
}
