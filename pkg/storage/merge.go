// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import "slices"

// lingerRoom is how many rows may linger beside as many as the larger one of a node's last
// two answers lists. Where pods come and go, a few linger; where all do at once, as many
// as there were. A node that lists other containers each time must not have us hold more.
const lingerRoom = 64

// merging makes the rows of a state whose batch has another layout than the one before.
type merging struct {
	next, old    *nodeState
	older, newer *Layout
	merged       *Layout
	batch        *Batch
	moment       *moment
	refuse       func(Refusal)
	// room is how many more rows may linger.
	room int
}

// merge fills layout, columns and answers, whose memory there is, from the old state
// and a batch whose layout is another. Both are sorted, so it is one pass. A row
// or an answer that the batch does not list lingers to the staleness bound, as long as
// there is room. before is the index that a pod of the new layout had in the old one, or
// -1.
func (s *nodeState) merge(old *nodeState, b *Batch, m *moment, refuse func(Refusal)) (before func(pod int) int) {
	g := merging{next: s, old: old, older: old.layout, newer: s.batchLayout, batch: b, moment: m, refuse: refuse}
	if g.older == nil {
		g.older = &Layout{}
	}
	g.room = len(g.newer.Containers) + lingerRoom
	if old.batchLayout != nil {
		g.room = max(g.room, len(old.batchLayout.Containers)+lingerRoom)
	}
	pods := len(s.answers)
	g.merged = &Layout{Pods: make([]PodRows, 0, pods), Containers: make([]string, 0, len(s.columns.rows))}
	s.columns.rows = s.columns.rows[:0]
	was := make([]int32, 0, pods)

	i, j := 0, 0 // pods of older and newer
	for i < len(g.older.Pods) || j < len(g.newer.Pods) {
		order := 0
		switch {
		case i == len(g.older.Pods):
			order = 1
		case j == len(g.newer.Pods):
			order = -1
		default:
			order = g.older.Pods[i].Compare(g.newer.Pods[j].Namespace, g.newer.Pods[j].Name)
		}
		var then, now PodRows // empty where one side lacks the pod
		at := int32(-1)
		if order <= 0 {
			then, at = g.older.Pods[i], int32(i)
			i++
		}
		if order >= 0 {
			now = g.newer.Pods[j]
			j++
		}
		g.pod(then, now)
		if len(g.merged.Pods) == len(was) && !g.answer(at, then) {
			continue
		}
		was = append(was, at)
	}
	if len(g.merged.Containers) != len(g.newer.Containers) || len(g.merged.Pods) != len(g.newer.Pods) {
		s.layout = g.merged
	}
	s.answers = slices.Grow(s.answers[:0], len(was))[:len(was)]
	s.known = make([]KnownPod, len(was))
	for p, at := range was {
		if at >= 0 {
			s.known[p] = old.known[at]
		}
	}
	return func(pod int) int { return int(was[pod]) }
}

// pod merges the rows of one pod.
func (g *merging) pod(then, now PodRows) {
	i, j := then.First, now.First
	for i < then.End || j < now.End {
		order := 0
		switch {
		case i == then.End:
			order = 1
		case j == now.End:
			order = -1
		case g.older.Containers[i] < g.newer.Containers[j]:
			order = -1
		case g.older.Containers[i] > g.newer.Containers[j]:
			order = 1
		}
		var row usageRow
		key := ContainerKey{Namespace: then.Namespace, Pod: then.Name}
		if order <= 0 {
			row = g.old.columns.at(i)
			row.listed = false
			key.Container = g.older.Containers[i]
			i++
		}
		if order >= 0 {
			row = advance(row, order == 0, g.batch.Samples[j], g.batch.estimate(int(j)), *g.moment, g.refuse)
			row.listed = true
			key = ContainerKey{Namespace: now.Namespace, Pod: now.Name, Container: g.newer.Containers[j]}
			j++
		}
		if row.listed || g.moment.fresh(row.served) && g.takeRoom() {
			g.merged.append(key)
			g.next.columns.append(row)
		}
	}
}

// answer keeps the answer of a pod, at that index of the old state, of which no
// container lingers: it gets a row of its own, which nothing lists. It is false where
// there is no answer that lingers.
func (g *merging) answer(at int32, then PodRows) bool {
	if answer := &g.old.answers[at]; !answer.known() || !g.moment.fresh(answer.time) || !g.takeRoom() {
		return false
	}
	g.merged.append(ContainerKey{Namespace: then.Namespace, Pod: then.Name, Container: g.older.Containers[then.First]})
	g.next.columns.append(usageRow{})
	return true
}

// takeRoom is whether one more row may linger.
func (g *merging) takeRoom() bool {
	g.room--
	return g.room >= 0
}
