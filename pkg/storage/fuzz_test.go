// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// FuzzCommit commits whatever the bytes say: any samples, estimates, layouts and
// offsets, at times that go on. Nothing panics, nothing that cannot be served is
// served, and an honest pod of the same node is served all the while.
func FuzzCommit(f *testing.F) {
	f.Add([]byte{})
	f.Add(slices.Repeat([]byte{0xff}, 400))
	f.Add(slices.Repeat([]byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80}, 60))
	for seed := range uint64(8) {
		f.Add(honestBytes(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		store, err := storage.New(storage.Options{FindPod: statusFunc(func(_, name string) ([]storage.ContainerStatus, bool) {
			return []storage.ContainerStatus{{Name: "b", Running: name == "one"}}, name != "two"
		}).findPod})
		if err != nil {
			t.Fatal(err)
		}
		in := bytesOf{data}
		calm, offset := 0, storage.Millis(0) // commits since the node's clock stepped
		for k := storage.Millis(1); k <= 20 && len(in.data) > 0; k++ {
			now := epoch + k*15_000
			b := in.batch(now)
			addHonest(b, now, k)
			if calm++; b.Offset != offset {
				calm, offset = 0, b.Offset
			}
			result, err := store.Commit(b)
			if err != nil {
				t.Fatal(err)
			}
			if result.Containers != len(b.Samples) || result.Unrated > result.Containers+1 {
				t.Fatalf("impossible result %+v of %d samples", result, len(b.Samples))
			}
			for _, name := range []string{"one", "two", "three"} {
				for _, readAt := range []storage.Millis{now, now + 30_000} {
					u, absence := store.Pod(nil, storage.PodQuery{Node: "n", Namespace: "shop", Name: name}, readAt)
					checkServed(t, u, absence, now)
				}
			}
			if u, absence := store.Node("n", now); absence == storage.Present {
				checkUsage(t, u.CPU, u.Memory, u.Swap)
				checkTimes(t, u.Time, u.Window, now)
			}
			u, absence := store.Pod(nil, storage.PodQuery{Node: "n", Namespace: "honest", Name: "web"}, now)
			if calm > 1 && (absence != storage.Present || u.Containers[0].CPU != 200_000_000) {
				t.Fatalf("the honest pod of commit %d: got %+v (%v)", k, u, absence)
			}
		}
	})
}

func checkServed(t *testing.T, u storage.PodUsage, absence storage.Absence, now storage.Millis) {
	t.Helper()
	if absence != storage.Present {
		if u.Containers != nil {
			t.Fatalf("usage with absence %v", absence)
		}
		return
	}
	checkTimes(t, u.Time, u.Window, now)
	if len(u.Containers) == 0 || !slices.IsSortedFunc(u.Containers, func(a, b storage.ContainerUsage) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	}) {
		t.Fatalf("containers %+v", u.Containers)
	}
	for _, c := range u.Containers {
		checkUsage(t, c.CPU, c.Memory, c.Swap)
	}
}

func checkUsage(t *testing.T, cpu, memory, swap uint64) {
	t.Helper()
	if cpu > maxCores || memory > math.MaxInt64 || swap > math.MaxInt64 {
		t.Fatalf("served cpu %d, memory %d, swap %d", cpu, memory, swap)
	}
}

func checkTimes(t *testing.T, when, window, now storage.Millis) {
	t.Helper()
	if when > now || now-when > 60_000 || window <= 0 || window > 60_000 {
		t.Fatalf("served time %d over %d at %d", when, window, now)
	}
}

// bytesOf reads numbers from fuzzed bytes; at their end it reads zeros.
type bytesOf struct{ data []byte }

func (in *bytesOf) uint64() uint64 {
	var word [8]byte
	in.data = in.data[copy(word[:], in.data):]
	return binary.BigEndian.Uint64(word[:])
}

func (in *bytesOf) byte() byte {
	if len(in.data) == 0 {
		return 0
	}
	b := in.data[0]
	in.data = in.data[1:]
	return b
}

// time is a moment near now, or any number at all.
func (in *bytesOf) time(now storage.Millis) storage.Millis {
	if in.byte() < 200 {
		return now - storage.Millis(in.byte())*300 + 3000
	}
	return storage.Millis(in.uint64())
}

func (in *bytesOf) sample(now storage.Millis) storage.Sample {
	return storage.Sample{
		Start: in.time(now), Time: in.time(now), CPU: in.uint64(), Memory: in.uint64(), Swap: in.uint64(),
		Has: storage.Fields(in.byte()),
	}
}

// batch is an answer at a moment: up to six containers of three pods.
func (in *bytesOf) batch(now storage.Millis) *storage.Batch {
	b := &storage.Batch{Node: "n", Received: now}
	if in.byte() > 230 {
		b.Offset = storage.Millis(int32(in.uint64())) * 100
	}
	b.Usage, b.UsageEstimate = in.sample(now-b.Offset), in.uint64()
	var keys []storage.ContainerKey
	for which := in.byte(); which != 0; which &= which - 1 {
		n := which & -which
		keys = append(keys, storage.ContainerKey{
			Namespace: "shop", Pod: []string{"one", "two", "three"}[n%3], Container: []string{"a", "b", "c"}[n%7%3],
		})
	}
	keys = append(keys, storage.ContainerKey{Namespace: "honest", Pod: "web", Container: "app"})
	b.Layout, _ = storage.NewLayout(keys)
	for range b.Layout.Containers {
		b.Samples = append(b.Samples, in.sample(now-b.Offset))
		b.Estimates = append(b.Estimates, in.uint64())
	}
	return b
}

// addHonest gives the first row, that of the honest pod, an honest sample: 200
// millicores.
func addHonest(b *storage.Batch, now, k storage.Millis) {
	b.Samples[0] = storage.Sample{
		Start: epoch - 1_000_000 - b.Offset, Time: now - 100 - b.Offset, CPU: uint64(k) * 3_000_000_000,
		Memory: 1, Has: storage.HasCPU | storage.HasMemory,
	}
	b.Estimates[0] = 0
}

// honestBytes are the bytes of a plausible history, as a seed.
func honestBytes(seed uint64) []byte {
	w := newWorld(seed, "n", 3)
	var out []byte
	for range 10 {
		w.pass(15_000)
		for _, s := range w.answer().Samples {
			out = append(out, byte(seed), byte(w.now-s.Time))
			out = binary.BigEndian.AppendUint64(out, s.CPU)
			out = binary.BigEndian.AppendUint64(out, s.Memory)
		}
	}
	return out
}
