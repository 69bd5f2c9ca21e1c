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
		if size < n || size > max(n+n/8+1, minClass) || size < before {
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
	// A pool may lose what it is given, so that nothing follows where it did.
	if again := r.take(19, 9); again == held {
		if len(again.columns.rows) != 19 || len(again.answers) != 9 || again.columns.swap != nil || again.known != nil {
			t.Errorf("a retired state has kept more than its memory: %+v", again)
		}
	}
	for range 100 {
		if s := r.take(2000, 10); len(s.columns.rows) != 2000 || cap(s.columns.rows) > 2250 {
			t.Fatalf("%d rows in memory for %d", len(s.columns.rows), cap(s.columns.rows))
		}
	}
}
