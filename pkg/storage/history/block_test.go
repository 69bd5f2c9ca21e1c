// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// sample is one, written plainly.
type sample struct {
	id uint32
	at storage.Millis
	v  float64
}

// write makes a block of samples.
func write(samples []sample) *stream {
	s := &stream{}
	s.reset()
	states := map[uint32]*state{}
	for _, x := range samples {
		st, known := states[x.id]
		if !known {
			st = &state{}
			states[x.id] = st
		}
		s.append(x.id, st, !known, x.at, x.v)
	}
	return s
}

// equalBlock fails unless block is of the samples.
func equalBlock(t *testing.T, block []byte, want []sample) {
	t.Helper()
	var s scan
	s.start(block)
	for i, w := range want {
		if !s.next() {
			t.Fatalf("ends after %d of %d samples: %v", i, len(want), s.err)
		}
		if s.id != w.id || s.time != w.at || math.Float64bits(s.value) != math.Float64bits(w.v) {
			t.Fatalf("sample %d is %d %d %v, want %v", i, s.id, s.time, s.value, w)
		}
	}
	if s.next() || s.err != nil {
		t.Fatalf("goes on after %d samples: %v", len(want), s.err)
	}
}

// values are some that kubelets give, and some that nobody should.
func values() []float64 {
	return []float64{
		0, math.Copysign(0, -1), 1, -1, 4096, 8192, 4097, 1 << 52, 1<<53 - 1, 1 << 53, 1<<53 + 2, -1 << 60, 9223372036854771712, math.MaxFloat64, math.SmallestNonzeroFloat64,
		0.1, 12.345678, 12.345678901, 0.000001, 1e-9, 1.5e-9, 9007199.254740991, 9007199.254740993, 1.7637e9, 1763749123.123456, 1763749123.1234567,
		math.Inf(1), math.Inf(-1), math.NaN(), series.StaleMarker(), math.Float64frombits(0xfff8dead00000000), math.Pi,
	}
}

func TestBlockValues(t *testing.T) {
	all := values()
	var samples []sample
	for i, a := range all {
		for j, b := range all {
			samples = append(samples, sample{uint32(i), storage.Millis(j), a}, sample{uint32(i), storage.Millis(i * j), b})
		}
	}
	equalBlock(t, write(samples).buf, samples)
}

// TestScales holds that a scale says that it fits only where it is exact.
func TestScales(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	check := func(v float64) {
		t.Helper()
		for s := range scales {
			if n, ok := s.fit(v); ok && math.Float64bits(s.value(n)) != math.Float64bits(v) {
				t.Errorf("scale %d has %d for %v, which is %v", s, n, v, s.value(n))
			}
		}
		s, n := choose(v, raw)
		if math.Float64bits(s.value(n)) != math.Float64bits(v) {
			t.Errorf("%v becomes %v", v, s.value(n))
		}
	}
	for _, v := range values() {
		check(v)
	}
	for range 100_000 {
		check(math.Float64frombits(random.Uint64()))
		nanos := random.Uint64N(1 << uint(random.IntN(53)+1))
		check(float64(nanos) / 1e9)
		if s, _ := choose(float64(nanos)/1e9, raw); s == raw {
			t.Fatalf("%d ns have no scale", nanos)
		}
	}
}

// TestLongestSample holds what room a sample needs at most.
func TestLongestSample(t *testing.T) {
	s := &stream{}
	s.reset()
	var a, b state
	s.append(1<<32-1, &a, true, math.MinInt64/2, math.MaxFloat64)
	before := len(s.buf)
	s.append(0, &b, true, math.MaxInt64/2, 1<<53-1)
	if n := len(s.buf) - before; n > maxSampleBytes {
		t.Errorf("a sample of %d bytes", n)
	}
}

// FuzzBlock reads anything. What can be read is written again, and read again, to
// the same samples.
func FuzzBlock(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{blockVersion, placeJump, 2})
	f.Add(write([]sample{{3, 1000, 1}, {1, 1000, math.Pi}, {3, 2000, 4096}, {1, 2001, math.Pi}, {3, 2001, 0.5}}).buf)
	f.Fuzz(func(t *testing.T, block []byte) {
		var s scan
		s.start(block)
		var samples []sample
		seen := map[uint32]int{}
		for s.next() {
			if s.place > len(s.locals) || len(s.locals) > len(block) {
				t.Fatalf("%d series in %d bytes", len(s.locals), len(block))
			}
			// A stream gives a number once; a block that has it twice is none.
			if place, ok := seen[s.id]; ok && place != s.place {
				return
			}
			seen[s.id] = s.place
			samples = append(samples, sample{s.id, s.time, s.value})
		}
		for _, x := range samples {
			if x.at < math.MinInt64/4 || x.at > math.MaxInt64/4 {
				return // Nobody's times; their differences have no room.
			}
		}
		equalBlock(t, write(samples).buf, samples)
	})
}
