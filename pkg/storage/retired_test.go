// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import "testing"

// TestSizeClass: a size fits its class, by an eighth at most, and sizes of one class are
// one size.
func TestSizeClass(t *testing.T) {
	sizes := map[int]int{}
	before := 0
	for n := range 5000 {
		size, class := sizeClass(n)
		if size < n || size > max(n+n/8+1, minSize) || size < before {
			t.Fatalf("%d has the size %d, after %d", n, size, before)
		}
		if known, ok := sizes[class]; ok && known != size {
			t.Fatalf("class %d has the sizes %d and %d", class, known, size)
		}
		if again, same := sizeClass(size); again != size || same != class {
			t.Fatalf("the size %d of class %d is %d of class %d", size, class, again, same)
		}
		sizes[class], before = size, size
	}
}

// TestRetired: the next state is not in memory that a reader may look at, and is in
// memory of its own size where there is no reader.
func TestRetired(t *testing.T) {
	var r retired
	slot := &nodeSlot{}
	first := r.take(20, 10)
	if len(first.columns.rows) != 20 || len(first.answers) != 10 {
		t.Fatalf("%d rows and %d answers", len(first.columns.rows), len(first.answers))
	}
	slot.publish(first, &r)

	read := slot.enter()
	slot.publish(r.take(20, 10), &r)
	for range 100 {
		if r.take(20, 10) == read {
			t.Fatal("a state was retired while it was read")
		}
	}
	slot.leave()

	held := slot.enter()
	slot.leave()
	held.columns.swap, held.known = make([]uint64, 20), make([]KnownPod, 10)
	slot.publish(r.take(20, 10), &r)
	if again := r.take(19, 9); again == held {
		if len(again.columns.rows) != 19 || len(again.answers) != 9 || again.columns.swap != nil || again.known != nil {
			t.Errorf("a retired state has kept more than its memory: %+v", again)
		}
	}
	// What has grown, and so is of no class, is not kept, nor are many more answers than
	// there are pods.
	r.put(&nodeState{columns: columns{rows: make([]keptRow, 2001)}, answers: make([]podAnswer, 10)})
	r.put(&nodeState{columns: columns{rows: make([]keptRow, 2048)}, answers: make([]podAnswer, 500)})
	for range 100 {
		if s := r.take(2000, 10); len(s.columns.rows) != 2000 || cap(s.columns.rows) != 2048 || cap(s.answers) > 30 {
			t.Fatalf("%d rows in memory for %d, and answers for %d", len(s.columns.rows), cap(s.columns.rows), cap(s.answers))
		}
	}
}

// TestRetiredIsUsed: nodes that are committed one after the other use the same memory.
// Pools lose some of what they are given where races are looked for, but not all.
func TestRetiredIsUsed(t *testing.T) {
	var r retired
	slots := make([]nodeSlot, 4)
	seen := map[*nodeState]bool{}
	for n := range 400 {
		s := r.take(60, 30)
		if s.known != nil || s.slot != nil || s.answers[7].kept != nil {
			t.Fatalf("a retired state has kept more than its memory: %+v", s)
		}
		seen[s] = true
		s.known, s.slot, s.answers[7].kept = make([]KnownPod, 30), &slots[0], new([]ContainerUsage)
		slots[n%len(slots)].publish(s, &r)
	}
	if len(seen) > 300 {
		t.Errorf("%d of 400 commits made new memory", len(seen))
	}
}
