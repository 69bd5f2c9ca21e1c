// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package input

import (
	"slices"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// state is what is held of one source of a node after one commit. It is
// immutable once published.
type state struct {
	layout *storage.Layout
	// podRuns and containerRuns are those of the batch; nil where no counter of
	// that level is held.
	podRuns, containerRuns []uint64
	// base is what the columns' times are relative to, and offset our clock less
	// the node's; times are by our clock.
	base, offset storage.Millis
	// asked is what the newest batch was asked for, held those of it that have
	// a reading; columns has one element for each of held, in the IDs' order.
	asked, held Set
	columns     []column
}

// column is the column of an input, which must be held.
func (s *state) column(id ID) *column { return &s.columns[s.held.before(id)] }

// only is the state without the inputs that are not in set, or nil where none
// is left.
func (s *state) only(set Set) *state {
	switch {
	case s.asked&^set == 0:
		return s
	case s.asked&set == 0:
		return nil
	}
	next := *s
	next.asked, next.held, next.columns = s.asked&set, s.held&set, nil
	for id := range next.held.Each() {
		next.columns = append(next.columns, *s.column(id))
	}
	return &next
}

// next is the state after batch b, of which the inputs asked are wanted. old may
// be nil and is never written.
func (s *Store) next(old *state, b *Batch, asked Set, result *CommitResult) *state {
	layout := b.Layout
	if layout == nil {
		layout = &storage.Layout{}
	}
	next := &state{layout: layout, base: b.Received, offset: b.Offset, asked: asked}
	step := step{
		old: old, batch: b, base: next.base, result: result,
		moment: moment{now: b.Received, offset: b.Offset, coarse: b.Source == Summary, staleness: s.staleness},
	}
	if old != nil {
		step.moment.stepped = b.Offset != old.offset
		if old.layout != layout {
			step.pods, step.containers = match(old.layout, layout)
		}
	}
	for id := range asked.Each() {
		info := &s.table[id]
		column, known := step.column(id, info)
		if !known {
			continue
		}
		next.held |= 1 << id
		next.columns = append(next.columns, column)
		if info.Kind == Counter && info.Level == OfPod && next.podRuns == nil {
			next.podRuns = slices.Clone(b.PodRuns)
		}
		if info.Kind == Counter && info.Level == OfContainer && next.containerRuns == nil {
			next.containerRuns = slices.Clone(b.ContainerRuns)
		}
	}
	next.columns = slices.Clip(next.columns)
	return next
}

// step is one state on its way to the next.
type step struct {
	old    *state // nil is: none
	batch  *Batch
	moment moment
	base   storage.Millis // of the next state
	// pods and containers are the places in the old layout of those in the new
	// one, -1 where there is none; nil is: the same ones.
	pods, containers []int32
	result           *CommitResult
}

// column is the next column of one input; known is false where it would have no
// reading.
func (s *step) column(id ID, info *Info) (next column, known bool) {
	rows := info.Level.rows(s.batch.Layout)
	cells := rows
	if info.Node {
		cells++
	}
	next = newColumn(cells, info.depth())
	var before *column
	if s.old != nil && s.old.held.Has(id) {
		before = s.old.column(id)
	}
	for i := range cells {
		var n Reading
		was, sameRun := -1, true
		switch read := &s.batch.Columns[id]; {
		case i == rows: // The node itself.
			n = s.batch.Own[id]
			if before != nil {
				was = before.len() - 1
			}
		case len(read.Values) == 0:
		default:
			n = Reading{Value: read.Values[i], Time: read.Times[i]}
			if before != nil {
				was, sameRun = s.before(i, info.Level)
			}
		}
		var held cell
		if was >= 0 {
			held = before.at(was, s.old.base)
		}
		cell := advance(held, n, info.Kind, sameRun, s.moment, func(r storage.Refusal) { s.result.Refused[r]++ })
		if next.set(i, &cell, s.base) {
			known = true
			s.result.Readings++
			if info.Kind == Counter && cell.points[1].Time == 0 {
				s.result.Waiting++
			}
		}
	}
	return next, known
}

// before is the row of the old state that is row i now, or -1, and whether it
// is of the same run, as far as is known.
func (s *step) before(i int, level Level) (was int, sameRun bool) {
	places, then, now := s.pods, s.old.podRuns, s.batch.PodRuns
	if level == OfContainer {
		places, then, now = s.containers, s.old.containerRuns, s.batch.ContainerRuns
	}
	was = i
	if places != nil {
		was = int(places[i])
	}
	if was < 0 || then == nil || now == nil {
		return was, true
	}
	return was, then[was] == now[i] || then[was] == 0 || now[i] == 0
}

// match finds the pods and containers of a new layout in the old one, -1 being
// none. Both are sorted, so it is one pass.
func match(old, layout *storage.Layout) (pods, containers []int32) {
	pods = make([]int32, len(layout.Pods))
	containers = make([]int32, len(layout.Containers))
	at := 0
	for p := range layout.Pods {
		pod := &layout.Pods[p]
		pods[p] = -1
		for at < len(old.Pods) && old.Pods[at].Compare(pod.Namespace, pod.Name) < 0 {
			at++
		}
		row, end := int32(0), int32(0) // of the old pod; none
		if at < len(old.Pods) && old.Pods[at].Compare(pod.Namespace, pod.Name) == 0 {
			pods[p], row, end = int32(at), old.Pods[at].First, old.Pods[at].End
		}
		for c := pod.First; c < pod.End; c++ {
			containers[c] = -1
			for row < end && old.Containers[row] < layout.Containers[c] {
				row++
			}
			if row < end && old.Containers[row] == layout.Containers[c] {
				containers[c] = row
			}
		}
	}
	return pods, containers
}
