// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"math"
	"math/big"
	"testing"
)

func TestMilli(t *testing.T) {
	for _, c := range []struct {
		value float64
		want  int64
		ok    bool
	}{
		{0, 0, true},
		{1, 1000, true},
		{0.0004, 0, true},
		{0.0005, 1, true},
		{0.0015, 2, true},
		{1.2345678, 1235, true},
		{9.2e15, 9.2e18, true},
		{math.Copysign(0, -1), 0, true},
		{-0.0001, 0, true}, // rounds to nothing
		{-1, 0, false},
		{math.NaN(), 0, false},
		{math.Inf(1), 0, false},
		{math.Inf(-1), 0, false},
		{9.3e15, 0, false},
		{math.MaxFloat64, 0, false},
	} {
		if got, ok := milli(c.value); got != c.want || ok != c.ok {
			t.Errorf("%v: %d, %t; want %d, %t", c.value, got, ok, c.want, c.ok)
		}
	}
}

// FuzzMilli holds it against exact arithmetic.
func FuzzMilli(f *testing.F) {
	f.Add(0.0005)
	f.Add(9.223372036854775e15)
	f.Add(math.Inf(1))
	f.Fuzz(func(t *testing.T, v float64) {
		got, ok := milli(v)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			if ok {
				t.Errorf("%v is %d", v, got)
			}
			return
		}
		exact := new(big.Float).Mul(big.NewFloat(v), big.NewFloat(1000))
		if !ok {
			if exact.Cmp(big.NewFloat(-0.5)) > 0 && exact.Cmp(big.NewFloat(math.MaxInt64-2048)) < 0 {
				t.Errorf("%v is no value", v)
			}
			return
		}
		// A product of floats is off by at most the last of 53 bits.
		off := new(big.Float).Sub(exact, new(big.Float).SetInt64(got))
		if off.Abs(off).Cmp(big.NewFloat(0.5+float64(got)*0x1p-52)) > 0 {
			t.Errorf("%v is %d", v, got)
		}
	})
}
