// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package exposition

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestParseUint(t *testing.T) {
	for _, test := range []struct {
		value  string
		places int
		want   string
	}{
		{"0", 0, "0"},
		{"0", 9, "0"},
		{"-0", 9, "0"},
		{"-0.000e5", 9, "0"},
		{"0e99999999999999999999", 9, "0"},
		{"0.06583938", 9, "65839380"},
		{"4092.039938476", 9, "4092039938476"},
		{"4.678836224e+09", 0, "4678836224"},
		{"6.7108864e+07", 0, "67108864"},
		{"1.7952217499303172e+09", 3, "1795221749930"},
		{"1e-09", 9, "1"},
		{"9.99e-10", 9, "0"},
		{"1.9", 0, "1"},
		{"+1", 0, "1"},
		{"1.", 0, "1"},
		{".5", 1, "5"},
		{"1E2", 0, "100"},
		{"123", -1, "12"},
		{"9223372036854775807", 0, "9223372036854775807"},
		{"9223372036854775807.99", 0, "9223372036854775807"},
		{"922337203685477580799999e-5", 0, "9223372036854775807"},
		{"9223372036.854775807", 9, "9223372036854775807"},
		{"0.00000000000000000000000000001e+29", 0, "1"},
		{"1e-99999999999999999999", 0, "0"},

		{"9223372036854775808", 0, "beyond 2^63-1"},
		{"18446744073709551616", 0, "beyond 2^63-1"},
		{"9223372036.854775808", 9, "beyond 2^63-1"},
		{"1e400", 0, "beyond 2^63-1"},
		{"1e99999999999999999999", 0, "beyond 2^63-1"},
		{"-1", 0, "negative"},
		{"-1e-99", 0, "negative"},
		{"NaN", 0, "NaN"},
		{"nan", 0, "NaN"},
		{"Inf", 0, "infinite"},
		{"+Inf", 0, "infinite"},
		{"-infinity", 0, "infinite"},
		{"-nan", 0, "not a number"},
		{"", 0, "not a number"},
		{"+", 0, "not a number"},
		{".", 0, "not a number"},
		{"1.2.3", 0, "not a number"},
		{"--1", 0, "not a number"},
		{"1e", 0, "not a number"},
		{"1e+", 0, "not a number"},
		{"1e5x", 0, "not a number"},
		{"0x1p3", 0, "not a number"},
		{"0x10", 0, "not a number"},
		{"1_000", 0, "not a number"},
		{"1\r", 0, "not a number"},
		{"e5", 0, "not a number"},
	} {
		n, err := ParseUint([]byte(test.value), test.places)
		got := strconv.FormatUint(n, 10)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s × 10^%d: got %s, want %s", test.value, test.places, got, test.want)
		}
	}
}

// TestParseUintOfFloat holds that counters come through the kubelet's float64
// unharmed as long as 15 digits can tell them.
func TestParseUintOfFloat(t *testing.T) {
	for nanos := uint64(1); nanos < 1e15; nanos = nanos*3 + 7 {
		printed := strconv.FormatFloat(float64(nanos)/1e9, 'g', -1, 64)
		if got, err := ParseUint([]byte(printed), 9); err != nil || got != nanos {
			t.Errorf("%d printed as %s is read as %d, %v", nanos, printed, got, err)
		}
	}
}

// referenceUint is ParseUint by strconv's syntax and big rationals.
func referenceUint(value string, places int) (uint64, error) {
	float, err := strconv.ParseFloat(value, 64)
	if errors.Is(err, strconv.ErrSyntax) || strings.ContainsAny(value, "pPxX_") {
		return 0, ErrNumberSyntax
	}
	if math.IsNaN(float) {
		return 0, ErrNaN
	}
	if strings.ContainsAny(value, "iI") {
		return 0, ErrInfinite
	}
	rational, ok := new(big.Rat).SetString(value)
	if !ok {
		return 0, fmt.Errorf("BUG: big.Rat refuses %q", value)
	}
	if rational.Sign() < 0 {
		return 0, ErrNegative
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(places, -places))), nil)
	if places < 0 {
		rational.Quo(rational, new(big.Rat).SetInt(power))
	} else {
		rational.Mul(rational, new(big.Rat).SetInt(power))
	}
	whole := new(big.Int).Quo(rational.Num(), rational.Denom())
	if !whole.IsInt64() {
		return 0, ErrOverflow
	}
	return whole.Uint64(), nil
}

// FuzzParseUint compares with big rationals.
func FuzzParseUint(f *testing.F) {
	for _, value := range []string{"0.06583938", "4.678836224e+09", "-0", "1e-9", "99999999999999999999e-3", "NaN", "-Inf", "0x1p3", "9223372036854775808", "1_0"} {
		f.Add(value, 9)
	}
	hugeExponent := regexp.MustCompile(`[eE][+-]?0*[0-9]{4}`)
	f.Fuzz(func(t *testing.T, value string, places int) {
		if places < -20 || places > 20 || len(value) > 1000 {
			return
		}
		got, err := ParseUint([]byte(value), places)
		if hugeExponent.MatchString(value) {
			return // The reference would compute with a gigabyte.
		}
		want, wantErr := referenceUint(value, places)
		if got != want || err != wantErr { //nolint:errorlint // NumberErrors are constants and come unwrapped.
			t.Fatalf("%q × 10^%d: got %d, %v; want %d, %v", value, places, got, err, want, wantErr)
		}
	})
}

func BenchmarkParseUint(b *testing.B) {
	value := []byte("1.560578632")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseUint(value, 9); err != nil {
			b.Fatal(err)
		}
	}
}
