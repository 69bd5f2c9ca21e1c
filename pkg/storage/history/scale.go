// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import "math"

// A scale is how a value is written as an integer. In the order of the scales, each
// has integers for more of the values that kubelets give.
type scale uint8

const (
	// raw is the bits of the value: no scale fits.
	raw scale = iota
	// pages are multiples of 4096, as of memory.
	pages
	// ones are integers.
	ones
	// millionths are what counters of CPU time are made of on cgroup v2.
	millionths
	// billionths are what they are made of elsewhere.
	billionths
	scales
)

// pageBytes is what a page stands for.
const pageBytes = 4096

// exact is up to where all integers are floats.
const exact = 1 << 53

// inexact is from where on a product that should be an integer may round to another.
const inexact = 1 << 50

// fit is the integer for v; ok is false unless value gives exactly v for it.
func (s scale) fit(v float64) (n int64, ok bool) {
	x := v
	switch s {
	case pages, ones:
	case millionths:
		x = math.Round(v * 1e6)
	case billionths:
		x = math.Round(v * 1e9)
	default:
		return 0, false
	}
	if !(x > -exact && x < exact) { // NaN fits nowhere.
		return 0, false
	}
	n = int64(x)
	if s == pages {
		if n%pageBytes != 0 {
			return 0, false
		}
		n /= pageBytes
	}
	if math.Float64bits(s.value(n)) == math.Float64bits(v) {
		return n, true
	}
	if s >= millionths && (x > inexact || x < -inexact) {
		// The product was rounded, as v was: it may be one off.
		for _, n := range [2]int64{n - 1, n + 1} {
			if math.Float64bits(s.value(n)) == math.Float64bits(v) {
				return n, true
			}
		}
	}
	return 0, false
}

// value is what n stands for.
func (s scale) value(n int64) float64 {
	switch s {
	case pages:
		return float64(n) * pageBytes
	case ones:
		return float64(n)
	case millionths:
		return float64(n) / 1e6
	case billionths:
		return float64(n) / 1e9
	default:
		return math.Float64frombits(uint64(n))
	}
}

// choose is the first scale that fits v, from a scale on, and the integer; raw where
// there is none.
func choose(v float64, from scale) (scale, int64) {
	for s := max(from, pages); s < scales; s++ {
		if n, ok := s.fit(v); ok {
			return s, n
		}
	}
	return raw, int64(math.Float64bits(v))
}
