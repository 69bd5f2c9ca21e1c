// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestAdvanced holds the columns of the next state against those made row by row
// by advance, for rows and samples at and around every limit there is.
func TestAdvanced(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	usual := 0
	for range 20_000 {
		const now = 1_000_000
		m := moment{now: now, base: uint16(r.IntN(2)), resolution: 15_000, staleness: 60_000}
		m.offset = pick[Millis](r, 0, 0, 0, 5000, -5000)
		m.steady = pick[Millis](r, 0, 0, now+1)
		b := &Batch{Samples: make([]Sample, 3)}
		if r.IntN(4) == 0 {
			b.Estimates = []uint64{0, 1, pick[uint64](r, 2, maxNanoCores, maxNanoCores+1)}
		}
		odd := func(p float64) bool { return r.Float64() < p }
		rare := pick(r, 0, 0.02, 0.3) // how often something is out of the ordinary
		old := columns{}
		for i := range b.Samples {
			held := Sample{Start: 400_000, Time: now - m.offset - 20_000, CPU: 1 << 40, Memory: 1 << 20, Has: HasCPU | HasMemory}
			if odd(0.3) {
				held.Has |= HasSwap
			}
			n := held
			if odd(0.6) {
				n.Time += pick[Millis](r, 15_000, 15_000, 15_000, minWindow, minWindow-1, 1, -1, 20_000+FutureTolerance, 20_001+FutureTolerance, 60_000)
				n.CPU += uint64(r.IntN(1 << 34))
				n.Memory = r.Uint64N(1 << 30)
			}
			if n.Has&HasSwap != 0 && odd(0.5) {
				n.Swap = r.Uint64N(3)
			}
			row := usageRow{base: m.base, listed: true, rate: rate{nanoCores: 5, window: 15_000}}
			if odd(rare) {
				held.Time = pick(r, n.Time-60_000, n.Time-60_001, n.Time-minWindow)
			}
			if odd(rare) {
				n.Start = pick[Millis](r, 0, -1, 400_001, 399_999, n.Time, n.Time+1)
			}
			if odd(rare) {
				held.Start = pick(r, 0, n.Start, n.Time)
			}
			if odd(rare) {
				n.Has, held.Has = Fields(r.IntN(8)), Fields(r.IntN(8))
				if odd(0.5) {
					held.Has = n.Has
				}
			}
			if odd(rare) {
				n.Memory = pick[uint64](r, 0, math.MaxInt64, math.MaxInt64+1)
			}
			if odd(rare) {
				n.Swap = pick[uint64](r, 0, 1, math.MaxInt64, math.MaxInt64+1)
			}
			if odd(rare) {
				n.CPU = pick[uint64](r, 0, held.CPU-1, held.CPU, math.MaxUint64)
			}
			if odd(rare) {
				row.ahead = pick(r, n.Time, 1)
			}
			if odd(rare) {
				row.base = 1 - m.base
			}
			if odd(rare) {
				row.rate = rate{}
			}
			row.sample = bounded(held, func(Refusal) {})
			row.served = min(held.Time+m.offset, now)
			b.Samples[i] = n
			old.append(row)
		}
		before := columns{rows: append([]keptRow(nil), old.rows...), swap: append([]uint64(nil), old.swap...), ahead: append([]Millis(nil), old.ahead...)}

		var refused, wantRefused [Refusals]int
		got := old.advanced(make([]keptRow, len(old.rows)), b, &m, func(r Refusal) { refused[r]++ })
		want := columns{}
		for i := range b.Samples {
			row := advance(old.at(int32(i)), true, b.Samples[i], b.estimate(i), m, func(r Refusal) { wantRefused[r]++ })
			row.listed = true
			want.append(row)
			probe := columns{rows: append([]keptRow(nil), old.rows...), swap: append([]uint64(nil), old.swap...), ahead: old.ahead}
			if b.estimate(i) == 0 && probe.advanceUsual(i, &b.Samples[i], &m) {
				usual++
			}
		}
		if refused != wantRefused || !reflect.DeepEqual(got, want) {
			t.Fatalf("columns %+v\nby %+v\nand %+v\nbecame %+v\nwant %+v\nrefused %v, want %v", old, m, b, got, want, refused, wantRefused)
		}
		if !reflect.DeepEqual(old.rows, before.rows) || len(old.swap) != len(before.swap) {
			t.Fatalf("the old columns became %+v, were %+v", old, before)
		}
	}
	if usual < 10_000 {
		t.Errorf("only %d samples were as usual", usual)
	}
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
