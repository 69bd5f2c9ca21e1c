// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package input

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// steady is an answer of a node of so many pods of two containers each, n
// answers after the first, 15 s apart; counters grow by 15 a second.
func steady(node string, source Source, wanted Set, layout *storage.Layout, n int) *Batch {
	now := storage.Millis(1_700_000_000_000 + 15_000*n)
	b := &Batch{Node: node, Source: source, Sent: now, Received: now, Inputs: wanted & source.Of(), Layout: layout}
	pods, containers := rows(layout)
	b.PodRuns, b.ContainerRuns = make([]uint64, pods), make([]uint64, containers)
	for id := range b.Inputs.Each() {
		rows := Table()[id].Level.rows(layout)
		column := Column{Values: make([]uint64, rows), Times: make([]storage.Millis, rows)}
		for i := range rows {
			column.Values[i], column.Times[i] = uint64(1000+n*225), now-1000
		}
		b.Columns[id] = column
		b.Own[id] = Reading{Value: uint64(n * 225), Time: now - 1000}
	}
	return b
}

// layoutOf is pods of two containers each.
func layoutOf(pods int) *storage.Layout {
	var keys []storage.ContainerKey
	for p := range pods {
		for _, c := range []string{"app", "proxy"} {
			keys = append(keys, storage.ContainerKey{Namespace: "team-a", Pod: fmt.Sprintf("web-8566b69bb8-%05d", p), Container: c})
		}
	}
	layout, _ := storage.NewLayout(keys)
	return layout
}

func newStore(tb testing.TB, kept Set) *Store {
	tb.Helper()
	s, err := New(storage.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	s.Keep(kept)
	return s
}

func commit(tb testing.TB, s *Store, b *Batch) CommitResult {
	tb.Helper()
	result, err := s.Commit(b)
	if err != nil {
		tb.Fatal(err)
	}
	return result
}

// TestUnits holds in which unit inputs are served.
func TestUnits(t *testing.T) {
	s := newStore(t, All())
	layout := layoutOf(1)
	for n := range 3 {
		for source := range Sources {
			commit(t, s, steady("n", source, All(), layout, n))
		}
	}
	now := storage.Millis(1_700_000_030_000)
	q := &storage.PodQuery{Node: "n", Namespace: "team-a", Name: "web-8566b69bb8-00000"}
	for id, want := range map[ID]Value{
		NetworkReceivePackets: {now - 1000, 15_000, 15},
		NetworkReceiveBytes:   {now - 1000, 30_000, 15},   // Over two refreshes.
		CPUThrottledTime:      {now - 1000, 15_000, 3e-8}, // Of two containers, in seconds.
		MemoryRSS:             {now - 1000, 0, 2900},
		VolumeMaxUsedRatio:    {now - 1000, 0, 0.00145},
	} {
		if got, absence := s.Pod(q, id, now, nil); absence != storage.Present || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", Table()[id].Name, got, absence, want)
		}
	}
	// Each input has a staleness bound of its own.
	for id, bound := range map[ID]storage.Millis{MemoryRSS: 60_000, VolumeUsed: 180_000} {
		if _, absence := s.Pod(q, id, now-1000+bound, nil); absence != storage.Present {
			t.Errorf("%s: %v at its bound", Table()[id].Name, absence)
		}
		if _, absence := s.Pod(q, id, now-1000+bound+1, nil); absence != storage.Stale {
			t.Errorf("%s: %v beyond its bound", Table()[id].Name, absence)
		}
	}
}

// TestTable holds what must be so of every input.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for id, info := range Table() {
		if info.Name == "" || names[info.Name] {
			t.Errorf("input %d has the name %q", id, info.Name)
		}
		names[info.Name] = true
		if info.Level == OfNode && !info.Node || info.Sparse && info.Level != OfContainer || info.Kind == Counter && info.Refresh != 0 {
			t.Errorf("%s: %+v", info.Name, info)
		}
	}
	if All().Len() != int(IDs) || Cadvisor.Of()|Summary.Of() != All() || Cadvisor.Of()&Summary.Of() != 0 {
		t.Errorf("%b, %b, %b", All(), Cadvisor.Of(), Summary.Of())
	}
	seen := map[string]bool{}
	for source := range Sources + 1 {
		seen[source.String()] = true
	}
	if len(seen) != int(Sources)+1 || !seen["unknown"] {
		t.Errorf("sources are called %v", seen)
	}
}

func TestBadBatches(t *testing.T) {
	s := newStore(t, All())
	for name, spoil := range map[string]func(b *Batch){
		"no node":               func(b *Batch) { b.Node = "" },
		"no source":             func(b *Batch) { b.Source = Sources },
		"another source":        func(b *Batch) { b.Source = Summary },
		"no such input":         func(b *Batch) { b.Inputs |= 1 << 63 },
		"short runs":            func(b *Batch) { b.PodRuns = b.PodRuns[1:] },
		"short container runs":  func(b *Batch) { b.ContainerRuns = b.ContainerRuns[1:] },
		"short column":          func(b *Batch) { b.Columns[Threads].Values = b.Columns[Threads].Values[1:] },
		"pods' column":          func(b *Batch) { b.Columns[Threads] = b.Columns[NetworkReceivePackets] },
		"columns without names": func(b *Batch) { b.Layout = nil },
	} {
		b := steady("n", Cadvisor, All(), layoutOf(3), 0)
		spoil(b)
		if _, err := s.Commit(b); !errors.Is(err, ErrBadBatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(storage.Options{Resolution: time.Millisecond}); err == nil {
		t.Error("a resolution of 1 ms is taken")
	}
}

// TestConcurrency commits, reads, and changes what is kept, all at once.
func TestConcurrency(t *testing.T) {
	s := newStore(t, All())
	layouts := []*storage.Layout{layoutOf(3), layoutOf(4)}
	var group sync.WaitGroup
	for source := range Sources {
		group.Go(func() {
			for n := range 200 {
				commit(t, s, steady("n", source, All(), layouts[n/10%2], n))
			}
		})
	}
	group.Go(func() {
		for n := range 200 {
			kept := All()
			if n%2 == 0 {
				kept = SetOf(Threads)
			}
			s.Keep(kept)
			if n%2 == 0 {
				if v, absence := s.Node("n", NetworkReceiveBytes, 0); absence != storage.NotCollected {
					t.Errorf("what is not kept is served: %v, %v", v, absence)
				}
			}
		}
		s.Keep(All())
	})
	for range 2 {
		group.Go(func() {
			for n := range 200 {
				now := storage.Millis(1_700_000_000_000 + 15_000*n)
				for id := range IDs {
					v, absence := s.Pod(&storage.PodQuery{Node: "n", Namespace: "team-a", Name: "web-8566b69bb8-00000"}, id, now, nil)
					// The rate is the same whenever it is asked for.
					if want := 15 * float64(1+Table()[id].Level/OfContainer) / Table()[id].Unit.perBase(); absence == storage.Present && Table()[id].Kind == Counter && v.Value != want {
						t.Errorf("%s: got %v, want %v", Table()[id].Name, v, want)
					}
				}
			}
		})
	}
	group.Wait()
}

// heapOf is how many bytes of the heap are in use.
func heapOf() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMemory reports the memory of a node of 30 pods with two containers
// each, beside its layout, for some demands.
func BenchmarkMemory(b *testing.B) {
	const nodes = 1000
	for _, bench := range []struct {
		name   string
		wanted Set
	}{
		{"nothing", 0},
		{"a gauge of containers", SetOf(MemoryRSS)},
		{"a counter of pods", SetOf(NetworkReceivePackets)},
		{"a counter of pods in whole seconds", SetOf(NetworkReceiveBytes)},
		{"all", All()},
	} {
		b.Run(bench.name, func(b *testing.B) {
			layout := layoutOf(30)
			var bytes uint64
			for b.Loop() {
				s := newStore(b, bench.wanted)
				before := heapOf()
				for i := range nodes {
					for n := range 3 {
						for source := range Sources {
							commit(b, s, steady(fmt.Sprintf("node-%d", i), source, bench.wanted, layout, n))
						}
					}
				}
				bytes = heapOf() - before
				runtime.KeepAlive(s)
			}
			b.ReportMetric(float64(bytes)/nodes, "B/node")
		})
	}
}

// BenchmarkCommit takes in an answer of such a node.
func BenchmarkCommit(b *testing.B) {
	for source := range Sources {
		b.Run(source.String(), func(b *testing.B) {
			s := newStore(b, All())
			layout := layoutOf(30)
			batches := []*Batch{steady("n", source, All(), layout, 0), steady("n", source, All(), layout, 1)}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				batch := batches[n%2]
				batch.Received += 1000
				for id := range batch.Inputs.Each() {
					for i := range batch.Columns[id].Times {
						batch.Columns[id].Times[i] += 1000
					}
				}
				commit(b, s, batch)
			}
		})
	}
}

// BenchmarkPod reads an input of a pod.
func BenchmarkPod(b *testing.B) {
	s := newStore(b, All())
	for n := range 3 {
		for source := range Sources {
			commit(b, s, steady("n", source, All(), layoutOf(30), n))
		}
	}
	q := &storage.PodQuery{Node: "n", Namespace: "team-a", Name: "web-8566b69bb8-00017", Containers: []storage.ContainerStatus{{Name: "app", Running: true}, {Name: "proxy", Running: true}}}
	for _, id := range []ID{NetworkReceiveBytes, MemoryRSS} {
		b.Run(Table()[id].Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, absence := s.Pod(q, id, 1_700_000_030_000, nil); absence != storage.Present {
					b.Fatal(absence)
				}
			}
		})
	}
}
