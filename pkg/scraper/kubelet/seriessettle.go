// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"slices"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// settle hands a good answer to the receivers, after it has found out which of its
// series are new to them, and which are gone.
func (r *seriesReading) settle(batch *series.Batch) {
	w, m := r.walk, r.memory
	replanned := w.diverged || r.reopening != 0
	if replanned {
		w.diverge()
		r.replan()
	}
	r.stats.Series = len(w.times)
	batch.Times, batch.Values = w.times, w.values
	for i, f := range r.stream.feeds {
		if f.failed != nil {
			continue
		}
		m.gone = m.gone[:0]
		if replanned {
			if !f.reopens {
				m.gone = r.appendGone(m.gone, f)
			}
			f.take(m.columns[i])
		}
		f.opened, f.generation, f.reopens = true, f.next, false
		r.stats.Samples += f.commit(*batch, m.gone, m)
	}
}

// replan makes the plan for the next answer, and the handles that go with it.
func (r *seriesReading) replan() {
	r.identify()
	w, s, m := r.walk, r.stream, r.memory
	old, n := s.plan, len(w.times)
	plan := seriesPlan{hashes: make([]uint64, n), lengths: make([]uint16, n)}
	for i := range s.feeds {
		m.columns[i] = slices.Grow(m.columns[i][:0], n)[:n]
	}
	// Steps that matched come in order, so that mark goes along with them.
	mark := -1
	for i, origin := range w.origins {
		var p *pendingSeries
		var family uint32
		if origin < 0 {
			p = &w.pending[^origin]
			origin = p.origin
			plan.hashes[i], plan.lengths[i], family = p.hash, p.length, p.family
		} else {
			plan.hashes[i], plan.lengths[i] = old.hashes[origin], old.lengths[origin]
			for mark+1 < len(old.families) && old.families[mark+1].first <= origin {
				mark++
			}
			family = old.families[mark].hash
		}
		if last := len(plan.families) - 1; last < 0 || plan.families[last].hash != family {
			plan.families = append(plan.families, familyMark{hash: family, first: int32(i)})
		}
		if !r.handles(i, origin, p) {
			if plan.idle == nil {
				plan.idle = make([]uint64, (n+63)/64)
			}
			plan.idle[i/64] |= 1 << (i % 64)
		}
	}
	plan.families = slices.Clip(plan.families)
	s.plan = plan
}

// identify looks for the pending series among the steps that did not come, because
// they came elsewhere, and refuses those that came before.
func (r *seriesReading) identify() {
	w, m := r.walk, r.memory
	plan := w.plan
	m.claimed = slices.Grow(m.claimed[:0], len(plan.hashes))[:len(plan.hashes)]
	clear(m.claimed)
	unknown := make(map[uint64]int32)
	drop := map[int]bool{} // Places in the answer.
	for i, origin := range w.origins {
		if origin >= 0 || w.pending[^origin].origin >= 0 {
			continue
		}
		hash := w.pending[^origin].hash
		if _, twice := unknown[hash]; twice {
			drop[i] = true
			continue
		}
		unknown[hash] = ^origin
	}
	if len(unknown) > 0 {
		skipped := w.skipped
		for step, hash := range plan.hashes {
			for len(skipped) > 0 && skipped[0].end <= step {
				skipped = skipped[1:]
			}
			i, ok := unknown[hash]
			if !ok {
				continue
			}
			if len(skipped) > 0 && skipped[0].first <= step {
				w.pending[i].origin = int32(step)
				m.claimed[step] = true
				continue
			}
			drop[r.later(int32(step), ^i)] = true
		}
	}
	for i := range w.pending {
		if w.pending[i].origin < 0 {
			r.stats.Opened++
		}
	}
	for _, steps := range w.skipped {
		for _, claimed := range m.claimed[steps.first:steps.end] {
			if !claimed {
				r.stats.Gone++
			}
		}
	}
	if len(drop) == 0 {
		return
	}
	kept := 0
	for i := range w.origins {
		if drop[i] {
			r.stats.Opened--
			r.stats.refuse(Refusal{Reason: RefusedDuplicate})
			continue
		}
		w.origins[kept], w.times[kept], w.values[kept] = w.origins[i], w.times[i], w.values[i]
		kept++
	}
	w.origins, w.times, w.values = w.origins[:kept], w.times[:kept], w.values[:kept]
}

// later is the place in the answer of the later one of two samples of the same
// series: that of a step, and a pending one, which are given as origins. What is
// kept is the step's.
func (r *seriesReading) later(step, pending int32) int {
	w := r.walk
	var first, second int
	first, second = -1, -1
	for i, origin := range w.origins {
		if origin == step || origin == pending || origin < 0 && w.pending[^origin].origin == step {
			if first < 0 {
				first = i
			} else {
				second = i
			}
		}
	}
	if w.origins[first] == pending {
		// The earlier sample counts, in the place of the later.
		w.times[second], w.values[second] = w.times[first], w.values[first]
		return first
	}
	return second
}

// appendGone appends the handles of a feed's series that did not come.
func (r *seriesReading) appendGone(gone []series.Handle, f *feed) []series.Handle {
	for _, steps := range r.walk.skipped {
		for i := steps.first; i < steps.end; i++ {
			if h := f.handles[i]; h != 0 && !r.memory.claimed[i] {
				gone = append(gone, h)
			}
		}
	}
	return gone
}

// handles finds, or asks for, the handles of the series at a place: that of a step,
// where origin is one, and a pending one, where p is. It is false where no receiver
// wants it.
func (r *seriesReading) handles(place int, origin int32, p *pendingSeries) (wanted bool) {
	described, meta := false, &r.memory.meta
	for i, f := range r.stream.feeds {
		var h series.Handle
		switch {
		case f.failed != nil:
		case origin >= 0 && !f.reopens:
			h = f.handles[origin]
		case p != nil && p.wanted>>i&1 != 0:
			if !described {
				*meta = r.describe(p)
				described = true
			}
			h = f.open(r.memory.labels, meta)
		}
		r.memory.columns[i][place] = h
		wanted = wanted || h != 0
	}
	return wanted
}

// describe sets the labels of a pending series.
func (r *seriesReading) describe(p *pendingSeries) series.Metadata {
	if r.stream.source == series.Summary {
		return r.describeSummary(p)
	}
	return r.describeText(p)
}
