// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"slices"
	"sync/atomic"
)

// KnownPod is a pod that the cluster knows. The store keeps it beside the pod's
// rows, so that a commit asks the pod itself and looks none up by its name. It
// must be comparable, as a pointer is: equal ones are one pod.
type KnownPod interface {
	// Statuses is what the cluster says of the pod's containers now. known is
	// false once the pod was seen to go, and stays so: what there is of its name then
	// is another KnownPod. Where nobody saw that, one may be two pods, one after the
	// other, which PodQuery.Started tells apart. It is called during Commit, must not block nor call the
	// store, and the slice it returns is not written.
	Statuses() (containers []ContainerStatus, known bool)
	// Place is where the pod's newest answer is posted, the PodPlace of queries
	// for it; nil is nowhere. It is called during Commit, too.
	Place() *PodPlace
}

// NodePlace remembers where a store has a node: whoever asks again and again for
// pods of one node keeps one, and PodPlaces, and gives them along with each
// query. They make a query quick and never change its answer, whatever they
// remember. The zero NodePlace remembers nothing. It may be used concurrently,
// and must not be copied.
type NodePlace struct{ slot atomic.Pointer[nodeSlot] }

// PodPlace is for one pod what NodePlace is for a node, and where its answer is
// posted.
type PodPlace struct{ post post }

// place is the place of a node, nil where there is none; place may be nil.
func (s *Store) place(node string, place *NodePlace) *nodeSlot {
	if place != nil {
		// A place that was forgotten has no state, and another may be the node's now.
		if slot := place.slot.Load(); slot != nil && slot.store == s && slot.node == node && slot.state.Load() != nil {
			return slot
		}
	}
	value, ok := s.nodes.Load(node)
	if !ok {
		return nil
	}
	slot := value.(*nodeSlot)
	if place != nil {
		place.slot.Store(slot)
	}
	return slot
}

// find is the index in layout.Pods of the pod that q asks for. The pod is at the
// place that q remembers if the same KnownPod is, or one of the same name.
func (s *nodeState) find(q *PodQuery) (int, bool) {
	if q.Place == nil {
		return s.layout.Find(q.Namespace, q.Name)
	}
	if i := int(q.Place.post.index.Load()); i < len(s.layout.Pods) {
		if q.Known != nil && s.known[i] == q.Known {
			return i, true
		}
		if pod := &s.layout.Pods[i]; pod.Name == q.Name && pod.Namespace == q.Namespace {
			return i, true
		}
	}
	i, ok := s.layout.Find(q.Namespace, q.Name)
	if ok {
		q.Place.post.index.Store(int32(i))
	}
	return i, ok
}

// ask asks the cluster for the statuses of pod p: the KnownPod that is kept with
// it, or where there is none or that is gone, one of its name. What is kept is
// shared with the old state until it changes.
func (s *nodeState) ask(p int, old *nodeState, o *Options) (statuses []ContainerStatus, known bool) {
	kept := s.known[p]
	if kept != nil {
		if statuses, known = kept.Statuses(); known {
			return statuses, true
		}
	}
	pod := &s.layout.Pods[p]
	found := o.FindPod(pod.Namespace, pod.Name)
	if found != kept {
		if len(old.known) > 0 && &s.known[0] == &old.known[0] {
			s.known = slices.Clone(s.known)
		}
		s.known[p] = found
	}
	if found == nil {
		return nil, false
	}
	return found.Statuses()
}
