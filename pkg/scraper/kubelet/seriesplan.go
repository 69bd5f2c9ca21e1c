// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"hash/maphash"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// seriesPlan is what is kept of the series of an answer, so that the next one is
// read against it, as in file plan.go: 10 bytes a series, and a bit. Which series
// a receiver gave which handle is kept by each feed, in the same order.
//
// It is only ever a shortcut: whatever the order of an answer, each of its series
// has the handles that it had before, those that are new are opened, and those
// that did not come are gone (FuzzSeries).
type seriesPlan struct {
	// hashes and lengths are parallel: of the series' texts where they come from
	// text, else of what identifies them.
	hashes  []uint64
	lengths []uint16
	// families is where the series of one name begin, ascending.
	families []familyMark
	// idle has a bit for each series that no receiver wants; empty is none.
	idle []uint64
}

// familyMark is where a name begins.
type familyMark struct {
	hash  uint32 // Of the name.
	first int32
}

func (p *seriesPlan) isIdle(i int) bool { return len(p.idle) > 0 && p.idle[i/64]>>(i%64)&1 != 0 }

// place is where the step is, from and within a few, whose series it is; -1 where
// it is not.
func (p *seriesPlan) place(from int, hash uint64, length int) int {
	for i := from; i < min(from+maxSkip, len(p.hashes)); i++ {
		if p.hashes[i] == hash && int(p.lengths[i]) == length {
			return i
		}
	}
	return -1
}

// family is where the steps of a name begin, from or behind it; -1 where they do
// not.
func (p *seriesPlan) family(from int, hash uint32) int {
	for _, mark := range p.families {
		if mark.hash == hash && int(mark.first) >= from {
			return int(mark.first)
		}
	}
	return -1
}

// hash32 is a hash of a name.
func hash32(seed maphash.Seed, name []byte) uint32 { return uint32(maphash.Bytes(seed, name)) }

// seriesWalk goes along the plan and gathers the samples of an answer. Nothing of
// it is final before the answer is known to be good.
type seriesWalk struct {
	plan *seriesPlan
	at   int // The next step.

	// times and values are the samples, in the order of the answer.
	times  []storage.Millis
	values []float64
	// origins is, once the answer is known to differ, for each sample the step that
	// it belongs to, or the complement of an index into pending.
	origins  []int32
	diverged bool
	pending  []pendingSeries
	// skipped is the steps that did not come, less those behind at.
	skipped []stepRange
}

// stepRange is the steps from first up to but not end.
type stepRange struct{ first, end int }

// pendingSeries is a series that has to be opened, or at least found.
type pendingSeries struct {
	hash   uint64
	family uint32
	length uint16
	// wanted has a bit for each feed that wants it opened, if it is new.
	wanted uint8
	// origin is the step whose series it is, where that is known and somebody wants
	// it opened all the same; else -1.
	origin int32
	// line is where its text is in the body, and comments where those begin that
	// precede it; in a summary, line is an index and there are no comments.
	line, end, comments int32
}

// begin begins an answer.
func (w *seriesWalk) begin(plan *seriesPlan) {
	*w = seriesWalk{
		plan: plan, times: w.times[:0], values: w.values[:0],
		origins: w.origins[:0], pending: w.pending[:0], skipped: w.skipped[:0],
	}
}

// matched takes the sample of the next step.
func (w *seriesWalk) matched(t storage.Millis, v float64) {
	if w.diverged {
		w.origins = append(w.origins, int32(w.at))
	}
	w.times, w.values = append(w.times, t), append(w.values, v)
	w.at++
}

// skipTo goes to a step over those that did not come.
func (w *seriesWalk) skipTo(step int) {
	if step > w.at {
		w.diverge()
		w.skipped = append(w.skipped, stepRange{w.at, step})
		w.at = step
	}
}

// pend takes the sample of a series that is not the next step's.
func (w *seriesWalk) pend(p pendingSeries, t storage.Millis, v float64) {
	w.diverge()
	w.origins = append(w.origins, int32(^len(w.pending)))
	w.pending = append(w.pending, p)
	w.times, w.values = append(w.times, t), append(w.values, v)
}

// end ends the answer.
func (w *seriesWalk) end() { w.skipTo(len(w.plan.hashes)) }

// diverge writes down what has been taken for granted so far.
func (w *seriesWalk) diverge() {
	if w.diverged {
		return
	}
	w.diverged = true
	for i := range w.at {
		w.origins = append(w.origins, int32(i))
	}
}
