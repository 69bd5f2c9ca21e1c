// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import "math/bits"

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
	// base is the time base (see nodeState.base) in which sample.Time was read.
	base uint32
	// listed is whether the newest batch lists the container.
	listed bool
}

// moment is what advance needs to know of the commit it is part of.
type moment struct {
	now        Millis // when the answer was complete, by our clock
	offset     Millis // our clock less the node's
	base       uint32 // the node's time base
	resolution Millis
	staleness  Millis
}

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
//   - Where no rate can be taken, the node's own estimate stands in.
//
// A refused sample leaves the row as it was.
func advance(held usageRow, seen bool, n Sample, estimate uint64, m moment, refuse func(Refusal)) usageRow {
	if n.Has&HasCPU == 0 {
		return withGauges(held, n)
	}
	if n.Time+m.offset > m.now+FutureTolerance {
		refuse(RefusedFuture)
		return held
	}
	if n.Start != 0 && n.Time < n.Start {
		refuse(RefusedBeforeStart)
		return held
	}
	seen = seen && held.sample.Has&HasCPU != 0
	next := usageRow{sample: n, served: min(n.Time+m.offset, m.now), base: m.base}
	switch {
	case !seen:
		next.rate = rateSinceStart(n, m)
	case n.Start != 0 && held.sample.Start != 0 && n.Start < held.sample.Start:
		refuse(RefusedOutOfOrder)
		return held
	case n.Start != 0 && held.sample.Start != 0 && n.Start > held.sample.Start:
		if n.Start > held.sample.Time {
			next.rate = rateSinceStart(n, m)
		}
	default: // the same run, as far as is known
		if n.Start == 0 {
			next.sample.Start = held.sample.Start
		}
		if n.Time == held.sample.Time {
			held = withGauges(held, n)
			if !held.rate.known() {
				held.rate = estimated(held.sample, estimate)
			}
			return held
		}
		if held.base != m.base {
			break // times of two bases have no difference
		}
		window := n.Time - held.sample.Time
		if window < 0 {
			refuse(RefusedOutOfOrder)
			return held
		}
		if window < minWindow {
			return withGauges(held, n)
		}
		if n.CPU >= held.sample.CPU && window <= m.staleness {
			var ok bool
			if next.rate, ok = rateOf(n.CPU-held.sample.CPU, window); !ok {
				refuse(RefusedOverflow)
			}
		}
	}
	if !next.rate.known() {
		next.rate = estimated(n, estimate)
	}
	return next
}

// withGauges is the row with n's memory and swap, which have no need of a
// distinct sample.
func withGauges(row usageRow, n Sample) usageRow {
	if n.Has&HasMemory != 0 {
		row.sample.Memory = n.Memory
	}
	if n.Has&HasSwap != 0 {
		row.sample.Swap = n.Swap
	}
	row.sample.Has = row.sample.Has&HasCPU | n.Has&^HasCPU
	return row
}

// rateSinceStart is the rate of a run's first sample over the time since its
// start, where that is young enough to say something about now.
func rateSinceStart(n Sample, m moment) rate {
	age := n.Time - n.Start
	if n.Start == 0 || age < minFirstAge || age > 2*m.resolution {
		return rate{}
	}
	r, _ := rateOf(n.CPU, age)
	return r
}

// estimated is the node's own rate at sample s, 0 meaning none. The kubelet does
// not say its window; it is at most the time since the container's start.
func estimated(s Sample, nanoCores uint64) rate {
	if nanoCores == 0 || nanoCores > maxNanoCores {
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
