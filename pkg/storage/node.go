// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import "slices"

// nodeState is all that is known of a node after one commit. It is immutable
// once published, until it is retired.
type nodeState struct {
	slot *nodeSlot
	// batchLayout is the layout of the newest batch: where the next batch has
	// the same one and nothing lingers, rows match one to one.
	batchLayout *Layout
	// layout names rows and answers. It is batchLayout, or that and what
	// lingers: containers and pods that an earlier batch listed and that may
	// come back, or still have an answer to give.
	layout *Layout
	// columns is parallel to layout.Containers, answers to layout.Pods.
	columns columns
	answers []podAnswer
	// known is parallel to layout.Pods: what the cluster knew of each pod when
	// the newest batch that listed it came; nil where that was nothing.
	known []KnownPod

	node       usageRow
	nodeAnswer NodeUsage // Window 0: none

	offset Millis
	// base is the time base of the next answer, if its offset is the same: two
	// samples have a difference only if they were read in the same base. The
	// first answer after a change of offset has a base of its own, because its
	// samples may be from before the node's clock stepped or from after it.
	base uint16
	// steady is until when a container's start may be from before a change of
	// offset and yet look recent, by our clock.
	steady Millis
}

// nextState is the state after batch b, in memory of r; old is never written.
func nextState(old *nodeState, b *Batch, o *Options, r *retired, result *CommitResult) *nodeState {
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
		// Only where the node's clock went back does what began before look
		// recent. A step of years, as from 1970, is a clock that was not set:
		// nothing that began by it is from the future for long.
		m.steady = max(m.steady, m.now+2*m.resolution+min(max(step, 0), maxStep))
	}
	refuse := func(r Refusal) { result.Refused[r]++ }

	batchLayout := b.Layout
	if batchLayout == nil {
		batchLayout = &Layout{}
	}
	same := old.batchLayout == batchLayout && (old.layout == batchLayout || old.lingersOn(&m))
	rows, pods := len(old.columns.rows), len(old.answers)
	if !same {
		// Mostly one pod came and another lingers.
		rows, pods = max(rows, len(batchLayout.Containers))+2, max(pods, len(batchLayout.Pods))+1
	}
	s := r.take(rows, pods)
	s.slot, s.batchLayout, s.layout = old.slot, batchLayout, batchLayout
	s.offset, s.base, s.steady = b.Offset, base, m.steady
	before := func(pod int) int { return pod }
	if same {
		s.layout = old.layout
		s.columns = old.columns.advanced(s.columns.rows, b, &m, refuse)
		s.known = old.known
	} else {
		before = s.merge(old, b, &m, refuse)
	}
	s.answer(old, before, o, m)

	for i := range s.columns.rows {
		if k := &s.columns.rows[i]; k.flags&rowListed != 0 && k.window <= 0 {
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

// lingersOn is whether all that lingers does so still, so that merge would come to
// the same rows. Where pods come and go, most commits find some that are gone.
func (s *nodeState) lingersOn(m *moment) bool {
	for p := range s.layout.Pods {
		pod := &s.layout.Pods[p]
		rows := s.columns.rows[pod.First:pod.End]
		for i := range rows {
			k := &rows[i]
			if k.listed() || m.fresh(k.served) {
				continue
			}
			// It may be the row of an answer that outlives its containers.
			if answer := &s.answers[p]; len(rows) > 1 || *k != (keptRow{}) || !answer.known() || !m.fresh(answer.time) {
				return false
			}
		}
	}
	return true
}

// answer assembles the answer of every listed pod; where it is incomplete the
// last complete one, of the old state, stays to the staleness bound. So it does
// where the new one is beyond that bound already, as when a container that was
// not waited for is waited for now and the node has long stopped refreshing it.
func (s *nodeState) answer(old *nodeState, before func(pod int) int, o *Options, m moment) {
	fetch(s.known)
	for p := range s.layout.Pods {
		pod := &s.layout.Pods[p]
		names, rows := s.layout.Containers[pod.First:pod.End], s.columns.rows[pod.First:pod.End]
		was := before(p)
		stays := was >= 0 && old.answers[was].known() && m.fresh(old.answers[was].time)
		if slices.ContainsFunc(rows, keptRow.listed) {
			statuses, known := s.ask(p, old, o)
			answer, ok := assemble(names, rows, statuses, known, &m)
			if ok && (m.fresh(answer.time) || !stays) {
				s.answers[p] = answer
				if place := s.place(p); place != nil && answer.joined {
					place.post.write(s.slot, &answer, s.offset, shapeOf(names, rows, s.columns.swapOf(pod), statuses), rows, statuses)
				} else if place != nil {
					place.post.clear()
				}
				continue
			}
			for i := range rows {
				rows[i].flags &^= rowAnswered
			}
		}
		if stays {
			s.answers[p] = old.keep(was)
		}
		// If the answer stays so does its post, which has the offset that there was.
		if place := s.place(p); place != nil && (!stays || s.offset != old.offset) {
			place.post.clear()
		}
	}
}

// fetch reads of what the cluster knows of pods what is about to be read and written, and
// says nothing. Pods are scattered over all memory, and were last looked at a resolution
// ago: here no read depends on another, so that a processor waits for many at once.
func fetch(known []KnownPod) {
	for _, pod := range known {
		if pod == nil {
			continue
		}
		if place := pod.Place(); place != nil {
			// Atomic loads are made even where nobody asks what they loaded.
			place.post.version.Load()
			place.post.numbers[2*maxPosted-1].Load()
		}
	}
}

// place is where the answer of pod p is posted; nil is nowhere.
func (s *nodeState) place(p int) *PodPlace {
	if s.known[p] == nil {
		return nil
	}
	return s.known[p].Place()
}

// keep is the answer of a pod with its containers in a form that outlives the
// state's rows.
func (s *nodeState) keep(pod int) podAnswer {
	answer := s.answers[pod]
	if answer.live {
		containers := s.appendAnswer(nil, pod)
		answer.live, answer.kept = false, &containers
	}
	return answer
}

// appendAnswer appends the containers of a pod's answer.
func (s *nodeState) appendAnswer(dst []ContainerUsage, pod int) []ContainerUsage {
	answer := &s.answers[pod]
	if answer.kept != nil {
		return append(dst, *answer.kept...)
	}
	rows := s.layout.Pods[pod]
	for i := rows.First; i < rows.End; i++ {
		if s.columns.rows[i].flags&rowAnswered != 0 {
			dst = append(dst, s.columns.usage(i, s.layout.Containers[i]))
		}
	}
	return dst
}

func (b *Batch) estimate(row int) uint64 {
	if b.Estimates == nil {
		return 0
	}
	return b.Estimates[row]
}
