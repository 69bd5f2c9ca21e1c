// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"cmp"
	"slices"
)

// namespace holds the pods of one namespace, by name and in order. Putting what
// came and went into the order waits until somebody asks for it, and is then
// one pass: a sort of a large namespace for each pod that changes would keep
// the lock for tens of milliseconds.
type namespace struct {
	pods map[string]*heldPod
	// sorted is in order; once made the slice is never written, so that readers
	// may keep it. It still has what went since (heldPod.gone), and lacks what
	// is in added, where dirty says so.
	sorted []*heldPod
	added  []*heldPod
	dirty  bool
	// gone is how many that went are still in sorted or added. Bounded, because
	// nobody may ever ask: see remove.
	gone int
}

// add adds a pod that was not there.
func (n *namespace) add(held *heldPod) {
	n.pods[held.pod.Load().Name] = held
	n.added = append(n.added, held)
	n.dirty = true
}

// remove removes a pod that is there.
func (n *namespace) remove(held *heldPod) {
	delete(n.pods, held.pod.Load().Name)
	held.gone.Store(true)
	n.dirty = true
	n.gone++
	if n.gone > len(n.pods)+maxGone {
		n.order()
	}
}

// maxGone is how many pods that went a namespace may hold beyond as many as are
// there: few enough to bound the memory, and together enough that putting the
// order right costs little for each of them.
const maxGone = 64

// order makes sorted true again.
func (n *namespace) order() {
	byName := func(a, b *heldPod) int { return cmp.Compare(a.pod.Load().Name, b.pod.Load().Name) }
	gone := func(h *heldPod) bool { return h.gone.Load() }
	added := slices.DeleteFunc(n.added, gone)
	slices.SortFunc(added, byName)

	merged := make([]*heldPod, 0, len(n.pods))
	for _, held := range n.sorted {
		if held.gone.Load() {
			continue
		}
		for len(added) > 0 && byName(added[0], held) < 0 {
			merged, added = append(merged, added[0]), added[1:]
		}
		merged = append(merged, held)
	}
	merged = append(merged, added...)
	n.sorted, n.added, n.dirty, n.gone = merged, nil, false, 0
}
