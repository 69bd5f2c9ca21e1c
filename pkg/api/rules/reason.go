// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// reason is why an object has no value.
type reason uint8

const (
	present reason = iota
	// These are of inputs.
	tooOld
	oneSample
	noneThen
	noAnswer
	// These are of results.
	incomplete
	noResult
	ambiguous
	notANumber
	infinite
	negative
	otherLabels
)

// String is the reason in words.
func (r reason) String() string {
	switch r {
	case tooOld:
		return "its newest sample is too old"
	case oneSample:
		return "it has one sample so far, and a rate takes two"
	case noneThen:
		return "it has no sample in the time that the expression looks at"
	case noAnswer:
		return "its node has not answered"
	case incomplete:
		return "samples are missing that belong into the value"
	case noResult:
		return "the expression has no result for it"
	case ambiguous:
		return "the expression has several results for it: aggregate, or choose by the metric's selector"
	case notANumber:
		return "the result is not a number"
	case infinite:
		return "the result is infinite, or too large"
	case negative:
		return "the result is negative"
	case otherLabels:
		return "the metric's selector does not match the labels of the result"
	default:
		return "there is a value"
	}
}

// tally counts for which reasons objects have no value, in the order in which they
// were met. The zero tally is empty.
type tally struct {
	entries []tallied
	total   int
}

type tallied struct {
	why     reason
	count   int
	example string // the first object's name
}

func (t *tally) add(why reason, name string) {
	t.total++
	for i := range t.entries {
		if t.entries[i].why == why {
			t.entries[i].count++
			return
		}
	}
	t.entries = append(t.entries, tallied{why: why, count: 1, example: name})
}

// has is whether an object lacks a value for that reason.
func (t *tally) has(why reason) bool {
	return slices.ContainsFunc(t.entries, func(e tallied) bool { return e.why == why })
}

// String is all reasons, the commonest first: "3: ... (such as web-1); 1: ...".
func (t *tally) String() string {
	entries := slices.Clone(t.entries)
	slices.SortStableFunc(entries, func(a, b tallied) int { return cmp.Compare(b.count, a.count) })
	parts := make([]string, len(entries))
	for i, e := range entries {
		parts[i] = fmt.Sprintf("%s (%s)", e.why, e.example)
		if t.total > 1 {
			parts[i] = fmt.Sprintf("%d: %s (such as %s)", e.count, e.why, e.example)
		}
	}
	return strings.Join(parts, "; ")
}
