// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import "slices"

// nodeState is all that is known of a node after one commit. It is immutable
// once published.
type nodeState struct {
	// batchLayout is the layout of the newest batch: where the next batch has
	// the same one and nothing lingers, rows match one to one.
	batchLayout *Layout
	// layout names rows and answers. It is batchLayout, or that and what
	// lingers: containers and pods that an earlier batch listed and that may
	// come back, or still have an answer to give.
	layout *Layout
	// rows is parallel to layout.Containers, answers to layout.Pods.
	rows    []usageRow
	answers []podAnswer

	node       usageRow
	nodeAnswer NodeUsage // Window 0: none

	offset Millis
	// base is the time base of the next answer, if its offset is the same: two
	// samples have a difference only if they were read in the same base. The
	// first answer after a change of offset has a base of its own, because its
	// samples may be from before the node's clock stepped or from after it.
	base uint32
	// steady is until when a container's start may be from before a change of
	// offset and yet look recent, by our clock.
	steady Millis
}

// next is the state after batch b; old is never written.
func (old *nodeState) next(b *Batch, o *Options, result *CommitResult) *nodeState {
	m := moment{
		now:        b.Received,
		offset:     b.Offset,
		base:       old.base,
		steady:     old.steady,
		resolution: MillisIn(o.Resolution),
		staleness:  MillisIn(StalenessBound(o.Resolution)),
	}
	base := old.base
	if step := b.Offset - old.offset; step != 0 {
		m.base, base = old.base+1, old.base+2
		m.steady = max(m.steady, m.now+2*m.resolution+max(step, -step))
	}
	refuse := func(r Refusal) { result.Refused[r]++ }

	batchLayout := b.Layout
	if batchLayout == nil {
		batchLayout = &Layout{}
	}
	s := &nodeState{batchLayout: batchLayout, layout: batchLayout, offset: b.Offset, base: base, steady: m.steady}
	if old.layout == batchLayout {
		s.rows = make([]usageRow, len(old.rows))
		for i := range s.rows {
			s.rows[i] = advance(old.rows[i], true, b.Samples[i], b.estimate(i), m, refuse)
			s.rows[i].listed = true
		}
		s.answers = slices.Clone(old.answers)
	} else {
		s.merge(old, b, m, refuse)
	}
	s.answer(o, m)

	for i := range s.rows {
		if s.rows[i].listed && !s.rows[i].rate.known() {
			result.Unrated++
		}
	}
	result.Containers = len(batchLayout.Containers)

	s.node = advance(old.node, true, b.Usage, b.UsageEstimate, m, refuse)
	s.nodeAnswer = old.nodeAnswer
	switch {
	case s.node.rate.known() && s.node.sample.Has&HasMemory != 0:
		s.nodeAnswer = NodeUsage{
			Time: s.node.served, Window: s.node.rate.window,
			CPU: s.node.rate.nanoCores, Memory: s.node.sample.Memory,
			Swap: s.node.sample.Swap, HasSwap: s.node.sample.Has&HasSwap != 0,
		}
	case b.Usage.Has&HasCPU != 0:
		result.Unrated++
	}
	return s
}

// merge fills layout, rows and answers from the old state and a batch whose
// layout is another. Both are sorted, so it is one pass. A row or an answer
// that the batch does not list lingers to the staleness bound.
func (s *nodeState) merge(old *nodeState, b *Batch, m moment, refuse func(Refusal)) {
	older, newer := old.layout, s.batchLayout
	if older == nil {
		older = &Layout{}
	}
	merged := &Layout{
		Pods:       make([]PodRows, 0, len(newer.Pods)),
		Containers: make([]string, 0, len(newer.Containers)),
	}
	s.rows = make([]usageRow, 0, len(newer.Containers))
	s.answers = make([]podAnswer, 0, len(newer.Pods))

	i, j := 0, 0 // pods of older and newer
	for i < len(older.Pods) || j < len(newer.Pods) {
		order := 0
		switch {
		case i == len(older.Pods):
			order = 1
		case j == len(newer.Pods):
			order = -1
		default:
			order = older.Pods[i].compare(newer.Pods[j].Namespace, newer.Pods[j].Name)
		}
		var was, is PodRows // empty where one side lacks the pod
		var answer podAnswer
		if order <= 0 {
			was, answer = older.Pods[i], old.answers[i]
			i++
		}
		if order >= 0 {
			is = newer.Pods[j]
			j++
		}
		s.mergePod(merged, old, older, was, b, newer, is, m, refuse)
		if n := len(merged.Pods); n > len(s.answers) {
			s.answers = append(s.answers, answer)
		} else if answer.known() && m.fresh(answer.usage.Time) {
			// No container lingers, but the answer does: it keeps a row of its
			// own, which nothing lists.
			name := answer.usage.Containers[0].Name
			merged.append(ContainerKey{Namespace: was.Namespace, Pod: was.Name, Container: name})
			s.rows = append(s.rows, usageRow{})
			s.answers = append(s.answers, answer)
		}
	}
	if len(merged.Containers) != len(newer.Containers) || len(merged.Pods) != len(newer.Pods) {
		s.layout = merged
	}
}

// mergePod merges the rows of one pod.
func (s *nodeState) mergePod(merged *Layout, old *nodeState, older *Layout, was PodRows, b *Batch, newer *Layout, is PodRows, m moment, refuse func(Refusal)) {
	i, j := was.First, is.First
	for i < was.End || j < is.End {
		order := 0
		switch {
		case i == was.End:
			order = 1
		case j == is.End:
			order = -1
		case older.Containers[i] < newer.Containers[j]:
			order = -1
		case older.Containers[i] > newer.Containers[j]:
			order = 1
		}
		var row usageRow
		key := ContainerKey{Namespace: was.Namespace, Pod: was.Name}
		if order <= 0 {
			row = old.rows[i]
			row.listed = false
			key.Container = older.Containers[i]
			i++
		}
		if order >= 0 {
			row = advance(row, order == 0, b.Samples[j], b.estimate(int(j)), m, refuse)
			row.listed = true
			key = ContainerKey{Namespace: is.Namespace, Pod: is.Name, Container: newer.Containers[j]}
			j++
		}
		if row.listed || m.fresh(row.served) {
			merged.append(key)
			s.rows = append(s.rows, row)
		}
	}
}

// answer assembles the answer of every listed pod; where it is incomplete the
// last complete one stays to the staleness bound. So it does where the new one
// is beyond that bound already, as when a container that was not waited for is
// waited for now and the node has long stopped refreshing it.
func (s *nodeState) answer(o *Options, m moment) {
	arena := make([]ContainerUsage, 0, len(s.batchLayout.Containers))
	for p := range s.layout.Pods {
		pod := s.layout.Pods[p]
		rows := s.rows[pod.First:pod.End]
		if slices.ContainsFunc(rows, func(r usageRow) bool { return r.listed }) {
			statuses, known := o.PodStatus(pod.Namespace, pod.Name)
			grown, answer, ok := assemble(arena, s.layout.Containers[pod.First:pod.End], rows, statuses, known, m)
			if ok && (m.fresh(answer.usage.Time) || !m.fresh(s.answers[p].usage.Time)) {
				arena = grown
				s.answers[p] = answer
				continue
			}
		}
		if a := &s.answers[p]; a.known() && !m.fresh(a.usage.Time) {
			*a = podAnswer{}
		}
	}
}

func (b *Batch) estimate(row int) uint64 {
	if b.Estimates == nil {
		return 0
	}
	return b.Estimates[row]
}
