// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"math/bits"
	"sync"
)

// A commit makes a node's rows anew, and those before are garbage: half of all that a
// scrape allocated (BenchmarkCommit). So a state that nobody reads any more is retired,
// and the next commit of any node of about that size takes its memory, which is still in
// the processor's caches, too. Between commits a few retired states are held, not one a
// node, and of each state an eighth more rows than it has at most.
//
// Whoever reads a state first counts itself among the readers of its place, and only then
// loads the state. So a writer that has stored the next one and sees no reader knows that
// nobody has the old one, and that nobody can get it: whoever comes later loads the next.
// Where there is a reader, the old state is left to the collector, and nobody waits.

// retired is the memory of retired states, by size class.
type retired [retiredClasses]sync.Pool // of *nodeState

const (
	// classesOfDouble is how many size classes there are from one size to its double.
	classesOfDouble = 8
	// minSize is the smallest size that there is a class for, which is the first.
	minSize = classesOfDouble + 1
	// retiredClasses is how many classes there are, up to some thousand rows.
	retiredClasses = 9 * classesOfDouble
)

// sizeClass rounds a number of rows up, by an eighth at most, to that of its class.
func sizeClass(n int) (size, class int) {
	n = max(n, minSize)
	doublings := bits.Len(uint(n-1)) - bits.Len(classesOfDouble)
	last := (n - 1) >> doublings
	return (last + 1) << doublings, doublings*classesOfDouble + last&(classesOfDouble-1)
}

// take is memory for a state of so many rows and pods: a state whose columns.rows and
// answers have these lengths; what the rows say means nothing, and all else is zero.
func (r *retired) take(rows, pods int) *nodeState {
	size, class := sizeClass(rows)
	var s *nodeState
	if class < len(r) {
		s, _ = r[class].Get().(*nodeState)
	}
	if s == nil {
		s = &nodeState{}
	}
	if cap(s.columns.rows) < rows {
		s.columns.rows = make([]keptRow, size)
	}
	if c := cap(s.answers); c < pods || c > pods+pods/8+minSize {
		s.answers = make([]podAnswer, pods)
	}
	s.columns.rows, s.answers = s.columns.rows[:rows], s.answers[:pods]
	return s
}

// put retires a state that nobody reads. Nothing is left in it that would keep what is
// gone: layouts, pods, answers.
func (r *retired) put(s *nodeState) {
	rows := cap(s.columns.rows)
	if size, class := sizeClass(rows); size == rows && class < len(r) {
		clear(s.answers[:cap(s.answers)])
		*s = nodeState{columns: columns{rows: s.columns.rows}, answers: s.answers}
		r[class].Put(s)
	}
}

// enter is the state of the place, which stays as it is until leave; nil is none.
// Either way, leave must be called.
func (n *nodeSlot) enter() *nodeState {
	n.readers.Add(1)
	return n.state.Load()
}

func (n *nodeSlot) leave() { n.readers.Add(-1) }

// publish makes next the state of the place and retires the one before if it can.
// The caller has the place locked.
func (n *nodeSlot) publish(next *nodeState, r *retired) {
	old := n.state.Swap(next)
	if old != nil && n.readers.Load() == 0 {
		r.put(old)
	}
}
