// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

const sampled storage.Millis = 1_767_323_045_678

// TestListEqualsTyped holds single peculiarities.
func TestListEqualsTyped(t *testing.T) {
	usage := []storage.ContainerUsage{{Name: "c", CPU: 1_234_567, Memory: 10 << 20}}
	long := strings.Repeat("long.", 60)
	for name, item := range map[string]Item{
		"plain":      {Namespace: "ns", Name: "pod", Labels: LabelsOf(map[string]string{"b": "2", "a": "1"}), Time: sampled, Window: 15_250, Containers: usage},
		"zero":       {Containers: []storage.ContainerUsage{{}}},
		"no name":    {Namespace: "ns", Containers: usage},
		"huge":       {Name: "x", Time: math.MaxInt64 / 10_000_000, Window: math.MaxInt64 / 1_000_000, Containers: []storage.ContainerUsage{{CPU: math.MaxUint64, Memory: math.MaxUint64, Swap: math.MaxUint64, HasSwap: true}}},
		"past":       {Name: "x", Time: -62_000_000_000, Window: -1, Containers: usage},
		"long":       {Namespace: long, Name: long, Labels: LabelsOf(map[string]string{long: long, "": ""}), Time: sampled, Containers: []storage.ContainerUsage{{Name: long}}},
		"unicode":    {Name: "pöd", Labels: LabelsOf(map[string]string{"ключ": "значение\u2028", "<&>": "\"\\\x00\x7f\n"}), Time: sampled, Containers: usage},
		"not UTF-8":  {Name: "\xff", Labels: LabelsOf(map[string]string{"\xc3(": "\xe2\x82"}), Time: sampled, Containers: usage},
		"many":       {Name: "x", Time: sampled, Containers: slices.Repeat(usage, 1000)},
		"empty swap": {Name: "x", Time: sampled, Containers: []storage.ContainerUsage{{HasSwap: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			wantTyped(t, some(PodMetrics, item))
			wantTyped(t, some(NodeMetrics, item))
		})
	}
	t.Run("no containers", func(t *testing.T) { wantTyped(t, some(PodMetrics, Item{Name: "x"})) })
	t.Run("empty", func(t *testing.T) {
		wantTyped(t, some(PodMetrics))
		wantTyped(t, some(NodeMetrics))
	})
}

// TestRandomListEqualsTyped holds lists of all lengths, of one chunk and of
// many, made at random.
func TestRandomListEqualsTyped(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 60 {
		items := make([]Item, random.IntN(1<<random.IntN(11)))
		for i := range items {
			items[i] = randomItem(random)
			if i > 0 && random.IntN(2) == 0 {
				items[i].Labels, items[i].Time = items[i-1].Labels, items[i-1].Time
			}
		}
		wantTyped(t, some(PodMetrics, items...))
		wantTyped(t, some(NodeMetrics, items...))
	}
}

func randomItem(r *rand.Rand) Item {
	set := map[string]string{}
	for range r.IntN(6) {
		set[randomString(r)] = randomString(r)
	}
	item := Item{
		Namespace: randomString(r),
		Name:      randomString(r),
		Labels:    LabelsOf(set),
		Time:      sampled + storage.Millis(r.IntN(100_000)),
		Window:    storage.Millis(r.IntN(100_000)) / storage.Millis(1+9*r.IntN(2)) * storage.Millis(1+9*r.IntN(2)),
	}
	for range 1 + r.IntN(4) {
		item.Containers = append(item.Containers, storage.ContainerUsage{
			Name: randomString(r), CPU: randomNumber(r), Memory: randomNumber(r), Swap: randomNumber(r), HasSwap: r.IntN(2) == 0,
		})
	}
	return item
}

func randomNumber(r *rand.Rand) uint64 {
	n := r.Uint64() >> r.IntN(64)
	switch r.IntN(4) {
	case 0:
		return n << r.IntN(64)
	case 1:
		return n / 1_000_000 * 1_000_000
	default:
		return n
	}
}

func randomString(r *rand.Rand) string {
	const odd = "\"\\<>&\u2028é\xff\x00"
	b := make([]byte, r.IntN(40))
	for i := range b {
		b[i] = 'a' + byte(r.IntN(26))
		if r.IntN(200) == 0 {
			b[i] = odd[r.IntN(len(odd))]
		}
	}
	return string(b)
}

// TestWriteFails: the error of the writer is the error, and ends it.
func TestWriteFails(t *testing.T) {
	items := slices.Repeat([]Item{{Name: "x", Containers: []storage.ContainerUsage{{Name: "c"}}}}, 10_000)
	var writer Writer
	list := some(PodMetrics, items...)
	for _, encoding := range []Encoding{JSON, Protobuf} {
		for left := range 3 {
			w := &failing{left: left}
			if err := writer.Write(w, &list, encoding); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%v", err)
			}
			if w.left != -1 {
				t.Errorf("%d writes after the one that failed", -1-w.left)
			}
		}
	}
}

// TestWriteDoesNotAllocate: a longer list takes no more allocations but some for
// each run.
func TestWriteDoesNotAllocate(t *testing.T) {
	var writer Writer
	items := make([]Item, 5_000)
	for i := range items {
		items[i] = Item{
			Namespace: "ns", Name: fmt.Sprintf("pod-%d", i), Labels: LabelsOf(map[string]string{"app": fmt.Sprint(i % 100), "tier": "front"}),
			Time: sampled + storage.Millis(i), Window: 15_000,
			Containers: []storage.ContainerUsage{{Name: "c", CPU: 1_234_567, Memory: 10 << 20, HasSwap: true}},
		}
	}
	for _, encoding := range []Encoding{JSON, Protobuf} {
		few, many := some(PodMetrics, items[:1]...), some(PodMetrics, items...)
		allocations := func(list *List) float64 {
			return testing.AllocsPerRun(10, func() {
				if err := writer.Write(io.Discard, list, encoding); err != nil {
					t.Error(err)
				}
			})
		}
		if a, b := allocations(&few), allocations(&many); b > a+float64(10+12*len(many.Runs)) {
			t.Errorf("%v allocations for one item, %v for %d in %d runs", a, b, len(items), len(many.Runs))
		}
	}
}

// TestFirstWrite: the generic server compresses by the length of the first
// write, so that of a long list must be above its threshold; and all but the last
// are whole frames.
func TestFirstWrite(t *testing.T) {
	items := slices.Repeat([]Item{{Name: "x", Containers: []storage.ContainerUsage{{Name: "c"}}}}, 10_000)
	var writer Writer
	long := some(PodMetrics, items...) // of several runs
	short := long
	short.Runs = []Run{{Items: long.items}}
	for _, encoding := range []Encoding{JSON, Protobuf} {
		for list, largest := range map[*List]int{&short: bufferSize, &long: longBufferSize} {
			var sizes sizes
			if err := writer.Write(&sizes, list, encoding); err != nil {
				t.Fatal(err)
			}
			notWhole := func(size int) bool { return size%frameSize != 0 }
			if len(sizes) < 3 || sizes[0] <= 128<<10 || sizes[0] > bufferSize || slices.Max(sizes) > largest ||
				slices.ContainsFunc(sizes[:len(sizes)-1], notWhole) {
				t.Errorf("writes of %d bytes", sizes)
			}
		}
	}
}

type sizes []int

func (s *sizes) Write(p []byte) (int, error) {
	*s = append(*s, len(p))
	return len(p), nil
}
