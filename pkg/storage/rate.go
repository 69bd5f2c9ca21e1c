// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"math"
	"math/bits"
)

// rate is a CPU rate and the time it was taken over. The zero rate is none.
type rate struct {
	// nanoCores is CPU nanoseconds per second.
	nanoCores uint64
	// window is the time between the two samples, 0 where there is no rate.
	window Millis
}

func (r rate) known() bool { return r.window > 0 }

// usageRow is what is held of one container (or of the node itself): the newest
// distinct sample of its newest run, and the rate at that sample.
type usageRow struct {
	sample Sample
	rate   rate
	// served is sample.Time by our clock, never ahead of the commit that
	// brought the sample.
	served Millis
	// ahead is the time of the sample last refused as from the future; 0 is none.
	ahead Millis
	// base is the time base (see nodeState.base) in which sample.Time was read.
	base uint16
	// listed is whether the newest batch lists the container.
	listed bool
}

// moment is what advance needs to know of the commit it is part of.
type moment struct {
	now        Millis // when the answer was complete, by our clock
	offset     Millis // our clock less the node's
	base       uint16 // the node's time base
	steady     Millis // until when a start may be by an earlier time base
	resolution Millis
	staleness  Millis
}

// fresh is whether what was so at t may still be served.
func (m moment) fresh(t Millis) bool { return m.now-t <= m.staleness }

// advance is the row after the sample n was read; seen says whether held is a
// row at all. The rules:
//
//   - A sample with the held timestamp is no new sample: the rate stands.
//   - A rate is the CPU difference of two distinct samples of one run over the
//     difference of those samples' own times, which is the window; a previous
//     sample older than the staleness bound is not used, because the average
//     since then says nothing about now.
//   - A newer start begins a new run. Its first rate is taken from its start,
//     where the counter was 0, if no sample of an earlier run is newer than
//     that start and the run is 10 s to 2 resolutions old: young enough that a
//     restart of ours never serves a lifetime's average.
//   - A counter that went back within a run has no rate until its next sample.
//   - Times of two bases are not compared: any other start is a new run, and
//     what has the same start has no rate until its next sample.
//   - Where no rate can be taken, the node's own estimate stands in.
//
// A refused sample leaves what the row serves as it was, but for
// RefusedOverflow, which refuses one reading or the rate alone.
func advance(held usageRow, seen bool, n Sample, estimate uint64, m moment, refuse func(Refusal)) usageRow {
	n = bounded(n, refuse)
	if estimate > maxNanoCores {
		refuse(RefusedOverflow)
		estimate = 0
	}
	switch {
	case n.Has&HasCPU == 0:
		return withGauges(held, n)
	case n.Time > m.now+FutureTolerance-m.offset:
		refuse(RefusedFuture)
		held.ahead = n.Time
		return held
	case n.Time < n.Start: // also where the start is unknown, which is 0
		refuse(RefusedBeforeStart)
		return held
	}
	seen = seen && held.sample.Has&HasCPU != 0
	next := usageRow{sample: n, served: min(n.Time+m.offset, m.now), base: m.base}
	sameBase := held.base == m.base
	if n.Time == held.ahead && m.now < m.steady {
		// Read before, and from the future then: it is from before the node's
		// clock went back, and our clock has caught up with it. No sample that
		// follows is of the base before this one.
		sameBase = false
		next.base--
	}
	fits := true
	switch {
	case !seen:
		next.rate, fits = rateSinceStart(n, m)
	case n.Time == held.sample.Time:
		held = withGauges(held, n)
		if !held.rate.known() {
			held.rate = estimated(held.sample, estimate)
		}
		return held
	case sameBase && (n.Time < held.sample.Time || n.Start != 0 && n.Start < held.sample.Start):
		refuse(RefusedOutOfOrder)
		return held
	case newRun(held.sample, n):
		if sameBase && n.Start > held.sample.Time {
			next.rate, fits = rateSinceStart(n, m)
		}
	default: // the same run, as far as is known
		if n.Start == 0 {
			next.sample.Start = held.sample.Start
		}
		if !sameBase {
			break
		}
		window := n.Time - held.sample.Time
		if window < minWindow {
			return withGauges(held, n)
		}
		if n.CPU >= held.sample.CPU && window <= m.staleness {
			next.rate, fits = rateOf(n.CPU-held.sample.CPU, window)
		}
	}
	if !fits {
		refuse(RefusedOverflow)
	}
	if !next.rate.known() {
		next.rate = estimated(next.sample, estimate)
	}
	return next
}

// bounded is n without the readings that cannot be served, with zeros where
// there is no reading, and without a start that is no moment.
func bounded(n Sample, refuse func(Refusal)) Sample {
	n.Memory = n.bounded(HasMemory, n.Memory, refuse)
	n.Swap = n.bounded(HasSwap, n.Swap, refuse)
	n.Start = max(n.Start, 0)
	return n
}

// bounded is the reading named by field, or 0 where it is none.
func (n *Sample) bounded(field Fields, value uint64, refuse func(Refusal)) uint64 {
	if n.Has&field == 0 {
		return 0
	}
	if value > math.MaxInt64 {
		refuse(RefusedOverflow)
		n.Has &^= field
		return 0
	}
	return value
}

// newRun is whether n, whose start is not older in the same time base, is of
// another run than held.
func newRun(held, n Sample) bool {
	switch {
	case n.Start == 0:
		return false
	case held.Start == 0:
		return n.Start > held.Time
	default:
		return n.Start != held.Start
	}
}

// withGauges is the row with n's memory and swap, which have no need of a
// distinct sample.
func withGauges(row usageRow, n Sample) usageRow {
	row.sample.Memory, row.sample.Swap = n.Memory, n.Swap
	row.sample.Has = row.sample.Has&HasCPU | n.Has&^HasCPU
	return row
}

// rateSinceStart is the rate of a run's first sample over the time since its
// start, where that is young enough to say something about now; ok is false
// where it is beyond maxNanoCores.
func rateSinceStart(n Sample, m moment) (r rate, ok bool) {
	age := n.Time - n.Start
	if n.Start == 0 || age < minFirstAge || age > 2*m.resolution || m.now < m.steady {
		return rate{}, true
	}
	return rateOf(n.CPU, age)
}

// estimated is the node's own rate at sample s, 0 meaning none. The kubelet does
// not say its window; it is at most the time since the container's start.
func estimated(s Sample, nanoCores uint64) rate {
	if nanoCores == 0 {
		return rate{}
	}
	window := maxEstimateWindow
	if s.Start != 0 {
		window = min(window, s.Time-s.Start)
	}
	return rate{nanoCores: nanoCores, window: window}
}

// rateOf is cpu nanoseconds over window, in nanocores; ok is false where it is
// beyond maxNanoCores. window must be positive.
func rateOf(cpu uint64, window Millis) (r rate, ok bool) {
	hi, lo := bits.Mul64(cpu, 1000)
	if hi >= uint64(window) {
		return rate{}, false
	}
	nanoCores, _ := bits.Div64(hi, lo, uint64(window))
	if nanoCores > maxNanoCores {
		return rate{}, false
	}
	return rate{nanoCores: nanoCores, window: window}, true
}
