// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package exposition

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// plainFloat is what ParseFloat must say.
func plainFloat(s string) (float64, bool) {
	if strings.ContainsAny(s, "pP_") {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	if math.IsNaN(v) {
		v = math.Float64frombits(normalNaN)
	}
	return v, err == nil
}

func holdFloat(t *testing.T, s string) {
	t.Helper()
	want, ok := plainFloat(s)
	got, err := ParseFloat([]byte(s))
	if (err == nil) != ok || math.Float64bits(got) != math.Float64bits(want) && ok {
		t.Fatalf("ParseFloat(%q) = %v, %v; want %v, %v", s, got, err, want, ok)
	}
}

func floats() []string {
	return []string{
		"0", "-0", "1", "+1", "1.5", ".5", "5.", ".", "", "-", "1e5", "1e+5", "1e-5", "1e", "1e+", "1E22", "1e23", "1e-22", "1e-23",
		"9007199254740992", "9007199254740993", "9007199254740993e1", "0.1", "1.560578632", "8.5028864e+07", "1795221790.653",
		"18446744073709551615", "18446744073709551616", "99999999999999999999", "00000000000000000000001", "0.0000000000000000000001",
		"NaN", "nan", "-nan", "Inf", "+Inf", "-infinity", "1e400", "-1e400", "1e-400", "0x1p3", "1_0", "1e99999999999", "1 ", " 1", "1\n",
		"123456789.123456789", "0.30000000000000004", "2.2250738585072014e-308", "1.7976931348623157e308",
	}
}

func TestParseFloat(t *testing.T) {
	for _, s := range floats() {
		holdFloat(t, s)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		v := math.Float64frombits(r.Uint64())
		holdFloat(t, strconv.FormatFloat(v, 'g', r.IntN(18), 64))
		holdFloat(t, fmt.Sprintf("%d.%09d", r.IntN(1e7), r.IntN(1e9)))
	}
}

func FuzzParseFloat(f *testing.F) {
	for _, s := range floats() {
		f.Add(s)
	}
	f.Fuzz(holdFloat)
}

// holdSample holds ScanSample against the parser of whole lines.
func holdSample(t *testing.T, rest string) {
	t.Helper()
	v, timestamp, has, n := ScanSample([]byte(rest))
	if n == 0 {
		return
	}
	line, _, found := strings.Cut(rest, "\n")
	if !found || n != len(line)+1 {
		t.Fatalf("ScanSample(%q) takes %d", rest, n)
	}
	var s Series
	if err := s.Parse([]byte("a" + line)); err != nil {
		t.Fatalf("ScanSample(%q) = %v; Parse: %v", rest, v, err)
	}
	want, err := ParseFloat(s.Sample.Value)
	if err != nil || math.Float64bits(want) != math.Float64bits(v) || has != s.Sample.HasTimestamp || timestamp != s.Sample.Timestamp {
		t.Fatalf("ScanSample(%q) = %v, %d, %v; want %v, %+v, %v", rest, v, timestamp, has, want, s.Sample, err)
	}
}

func samples() []string {
	return []string{" 1\n", " 1 2\n", " 1.5e3 1795221790653\nb 2\n", " 1 9223372036854775807\n", " 1 9223372036854775808\n", " 1 2 3\n", " 1 \n", "  1\n", "\t1\n", " 1", " 1 2", " 1\r\n", " NaN\n", " 1{\n", ""}
}

func TestScanSample(t *testing.T) {
	for _, s := range samples() {
		holdSample(t, s)
	}
	if v, timestamp, has, n := ScanSample([]byte(" 1.5e3 1795221790653\nb 2\n")); v != 1500 || timestamp != 1795221790653 || !has || n != 21 {
		t.Errorf("got %v %v %v %v", v, timestamp, has, n)
	}
}

func FuzzScanSample(f *testing.F) {
	for _, s := range samples() {
		f.Add(s)
	}
	f.Fuzz(holdSample)
}

func BenchmarkParseFloat(b *testing.B) {
	values := [][]byte{[]byte("1.560578632"), []byte("8.5028864e+07"), []byte("0"), []byte("1.795221671e+09")}
	b.Run("decimal", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			_, _ = ParseFloat(values[i%4])
		}
	})
	b.Run("strconv", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			_, _ = strconv.ParseFloat(string(values[i%4]), 64)
		}
	})
}
