// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package input

import "github.com/metrics-apiserver/metrics-apiserver/pkg/storage"

// Recent remembers, for one request that reads many pods, what is held of each node
// and where its last pod was found. Who asks for pods in the order of their names
// finds the next one of a node mostly right behind its last one, so that instead of
// a map for all goroutines and a binary search there is a small map and one comparison.
//
// The zero value is ready; its first pod makes it. All that is read with one Recent
// of a source of a node is of one answer, so it is as old as its first use, and is
// for one request and one goroutine alone.
type Recent struct{ nodes map[string]*[Sources]found }

// found is what is held of a source of a node, and the row after the pod that was
// found last.
type found struct {
	state  *state
	loaded bool
	next   int
}

// find is Store.find of a pod.
func (r *Recent) find(s *Store, q *storage.PodQuery, id ID) (*state, int, storage.Absence) {
	node, ok := r.nodes[q.Node]
	if !ok {
		node = new([Sources]found)
		if r.nodes == nil {
			r.nodes = map[string]*[Sources]found{}
		}
		r.nodes[q.Node] = node
	}
	source := s.table[id].Source
	f := &node[source]
	if !f.loaded {
		f.state, f.loaded = s.held(q.Node, source), true
	}
	if f.state == nil || !f.state.asked.Has(id) {
		return nil, 0, storage.NotCollected
	}
	row, ok := f.next, false
	if pods := f.state.layout.Pods; row < len(pods) {
		ok = pods[row].Name == q.Name && pods[row].Namespace == q.Namespace
	}
	if !ok {
		if row, ok = f.state.layout.Find(q.Namespace, q.Name); !ok {
			return nil, 0, storage.NotReported
		}
	}
	f.next = row + 1
	return f.state, row, storage.Present
}
