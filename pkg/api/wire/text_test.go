// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

func FuzzQuantity(f *testing.F) {
	for _, n := range []uint64{0, 1, 9, 10, 999, 1000, 1001, 1023, 1024, 1025, 1_000_000, 1 << 20, 3 << 30, 1 << 62, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n uint64) { checkQuantities(t, n) })
}

// TestQuantity holds numbers of all lengths, around powers too.
func TestQuantity(t *testing.T) {
	for _, base := range []uint64{2, 10, 1000, 1024} {
		for power := uint64(1); ; power *= base {
			for d := -3; d <= 3; d++ {
				checkQuantities(t, power+uint64(d))
			}
			if power > math.MaxUint64/base {
				break
			}
		}
	}
	for range 100_000 {
		checkQuantities(t, randomNumber(rand.New(rand.NewPCG(rand.Uint64(), 0))))
	}
}

func checkQuantities(t *testing.T, n uint64) {
	t.Helper()
	if got, want := string(appendDigits(nil, n)), strconv.FormatUint(n, 10); got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	signed := int64(min(n, math.MaxInt64))
	for _, c := range []struct {
		got  quantity
		want *resource.Quantity
	}{
		{cpuQuantity(n), resource.NewScaledQuantity(signed, resource.Nano)},
		{bytesQuantity(n), resource.NewQuantity(signed, resource.BinarySI)},
	} {
		got := string(c.got.append(nil))
		if want := c.want.String(); got != want {
			t.Fatalf("%d: %s, want %s", n, got, want)
		}
		if c.got.size() != len(got) {
			t.Fatalf("%d: %s has size %d", n, got, c.got.size())
		}
	}
}

func FuzzMilli(f *testing.F) {
	for _, n := range []int64{0, 1, -1, 999, 1000, 1001, 1500, -2_000_000, 1_000_000, 1e18, -1e18, math.MaxInt64, math.MinInt64, math.MinInt64 + 1} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n int64) {
		got := string(AppendMilli(nil, n))
		if want := resource.NewMilliQuantity(n, resource.DecimalSI).String(); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
		if MilliSize(n) != len(got) || len(got) > 21 {
			t.Errorf("%d: %s has size %d", n, got, MilliSize(n))
		}
	})
}

func FuzzString(f *testing.F) {
	for _, s := range []string{"", "web-1", "\"", "\\", "<&>", "\u2028", "\xff", "\x00\x1f\x7f", "日本", "a\xe2\x82"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := AppendString([]byte("before"), s); string(got) != "before"+string(want) {
			t.Errorf("%s, want before%s", got, want)
		}
	})
}

// TestEveryByteOfAString holds each byte at each place of a word, and a few that
// are not plain before and behind.
func TestEveryByteOfAString(t *testing.T) {
	for length := 1; length <= 17; length++ {
		for place := range length {
			for c := range 256 {
				text := bytes.Repeat([]byte("a"), length)
				text[place] = byte(c)
				want, err := json.Marshal(string(text))
				if err != nil {
					t.Fatal(err)
				}
				if got := AppendString(nil, string(text)); !bytes.Equal(got, want) {
					t.Fatalf("%q is %s, want %s", text, got, want)
				}
			}
		}
	}
}

func BenchmarkAppendString(b *testing.B) {
	const name = "workload-17-6d4b75cb6d-00042"
	var dst []byte
	b.SetBytes(int64(len(name)))
	for b.Loop() {
		dst = AppendString(dst[:0], name)
	}
}

func FuzzTimes(f *testing.F) {
	for _, m := range []int64{0, 1, -1, 999, 1000, 9_990, 10_000, 15_250, 15_205, 15_001, 59_999, 60_000, 3_600_000, int64(sampled)} {
		f.Add(m)
	}
	f.Fuzz(func(t *testing.T, m int64) {
		millis := storage.Millis(m)
		wantJSON(t, string(appendDuration(nil, millis)), metav1.Duration{Duration: millis.Duration()})
		moment := metav1.NewTime(millis.Time())
		if y := moment.UTC().Year(); y >= 0 && y <= 9999 { // others have no RFC 3339
			wantJSON(t, string(AppendTime(nil, millis)), moment)
		}
	})
}

func wantJSON(t *testing.T, got string, of any) {
	t.Helper()
	want, err := json.Marshal(of)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s, want %s", got, want)
	}
}

func FuzzLabels(f *testing.F) {
	f.Add("app", "web", "", "")
	f.Add("b", "\x00", "a", "x")
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		set := map[string]string{key1: value1, key2: value2}
		l := LabelsOf(set)
		n, before := 0, ""
		for key, value := range l.All() {
			if n > 0 && key <= before {
				t.Errorf("%q after %q", key, before)
			}
			if want, ok := set[key]; !ok || value != want {
				t.Errorf("%q is %q", key, value)
			}
			if got, ok := l.Lookup(key); !ok || got != value || !l.Has(key) || l.Get(key) != value {
				t.Errorf("look-up of %q: %q", key, got)
			}
			n, before = n+1, key
		}
		if n != len(set) || len(l.Set()) != n || l.Has(key1+key2+"x") {
			t.Errorf("%q of %q", l, set)
		}
	})
}

// BenchmarkAppendDigits formats numbers of the lengths that lists have, against
// the library.
func BenchmarkAppendDigits(b *testing.B) {
	numbers := [...]uint64{0, 7, 250, 4_096, 131_072, 7_919_123, 37_654_321, 1_234_567_890}
	for name, format := range map[string]func([]byte, uint64) []byte{
		"ours":    appendDigits,
		"library": func(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 10) },
	} {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 64)
			for i := 0; b.Loop(); i++ {
				dst = format(dst[:0], numbers[i%len(numbers)])
			}
		})
	}
}
