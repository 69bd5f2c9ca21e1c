// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package tally

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Reason is why an object has no value; its String is what people are told.
type Reason interface {
	comparable
	fmt.Stringer
}

// A Tally counts for which reasons objects have no value, in the order in which
// they were met. The zero Tally is empty.
type Tally[R Reason] struct {
	entries []entry[R]
	total   int
}

type entry[R Reason] struct {
	why     R
	count   int
	example string // the first object's name
}

// Add counts an object of that name.
func (t *Tally[R]) Add(why R, name string) {
	t.total++
	for i := range t.entries {
		if t.entries[i].why == why {
			t.entries[i].count++
			return
		}
	}
	t.entries = append(t.entries, entry[R]{why: why, count: 1, example: name})
}

// Total is how many objects were counted.
func (t *Tally[R]) Total() int { return t.total }

// First is the reason of the first object; there must be one.
func (t *Tally[R]) First() R { return t.entries[0].why }

// Has is whether an object lacks a value for that reason.
func (t *Tally[R]) Has(why R) bool {
	return slices.ContainsFunc(t.entries, func(e entry[R]) bool { return e.why == why })
}

// String is all reasons, the commonest first: "3: ... (such as web-1); 1: ...".
func (t *Tally[R]) String() string {
	entries := slices.Clone(t.entries)
	slices.SortStableFunc(entries, func(a, b entry[R]) int { return cmp.Compare(b.count, a.count) })
	parts := make([]string, len(entries))
	for i, e := range entries {
		parts[i] = fmt.Sprintf("%s (%s)", e.why, e.example)
		if t.total > 1 {
			parts[i] = fmt.Sprintf("%d: %s (such as %s)", e.count, e.why, e.example)
		}
	}
	return strings.Join(parts, "; ")
}
