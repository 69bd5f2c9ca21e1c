// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// naiveSeries is a series of the model.
type naiveSeries struct {
	labels Labels
	node   int
	open   bool
	ended  storage.Millis
	times  []storage.Millis
	values []float64
	// floor is up to when samples were not needed, when less was.
	floor storage.Millis
}

func (s *naiveSeries) add(t storage.Millis, v float64) {
	if n := len(s.times); n == 0 || t > s.times[n-1] {
		s.times, s.values = append(s.times, t), append(s.values, v)
	}
}

func (s *naiveSeries) end(at storage.Millis) {
	s.open, s.ended = false, at
	if n := len(s.times); n > 0 {
		s.add(max(at, s.times[n-1]+1), StaleMarker())
	}
}

// modelNode is one source of a node: its target, its feeder, and how far its clock
// is behind ours.
type modelNode struct {
	name   string
	source Source
	offset storage.Millis
	feeder *feeder
}

// TestRecentModel holds Recent against a store that keeps all samples of each series.
func TestRecentModel(t *testing.T) {
	for seed := range uint64(30) {
		testRecentModel(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func testRecentModel(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	recent := newTestRecent(t, RecentOptions{})
	var selectors []Selector
	choose := func() {
		selectors = nil
		for range r.IntN(4) {
			pod := fmt.Sprint(r.IntN(6))
			s := Selector{Name: []string{"a", "b", "c", ""}[r.IntN(4)], Range: storage.Millis(r.IntN(100_000)), Sources: SourceSet(r.IntN(8))}
			if r.IntN(2) == 0 {
				s.Match = func(l Labels) bool { return l.Get("pod") != pod }
			}
			selectors = append(selectors, s)
		}
		recent.Want(selectors)
	}
	// keep is how far back a series is kept, -1 where it is not.
	keep := func(labels Labels, source Source) storage.Millis {
		longest := storage.Millis(-1)
		for _, s := range selectors {
			if (s.Name == "" || s.Name == labels.Get(NameLabel)) && s.sources().Has(source) && (s.Match == nil || s.Match(labels)) {
				longest = max(longest, s.Range)
			}
		}
		return longest
	}
	var nodes []*modelNode
	for i := range 4 {
		n := &modelNode{name: fmt.Sprint("n", i/2), source: Source(i % 2), offset: storage.Millis(r.IntN(5000) - 2500)}
		n.feeder = newFeeder(t, recent, n.name, n.source)
		nodes = append(nodes, n)
	}
	all := map[string]*naiveSeries{}
	now, swept := storage.Millis(1_000_000), storage.Millis(0)
	for range 200 {
		now += storage.Millis(r.IntN(8000))
		i := r.IntN(len(nodes))
		n := nodes[i]
		switch r.IntN(12) {
		case 0:
			for _, s := range all {
				s.floor = max(s.floor, now-keep(s.labels, nodes[s.node].source))
			}
			choose()
			for key, s := range all {
				if keep(s.labels, nodes[s.node].source) < 0 {
					delete(all, key)
				}
			}
			continue
		case 1:
			n.feeder.receiver.End(now)
			n.feeder = newFeeder(t, recent, n.name, n.source)
			for _, s := range all {
				if s.node == i && s.open {
					s.end(now)
				}
			}
			continue
		}
		var samples []sample
		came := map[string]bool{}
		for _, name := range []string{"a", "b", "c"} {
			for pod := range 6 {
				if r.IntN(3) == 0 {
					continue
				}
				// By the node's clock, some from the past and some from the future.
				at := now - n.offset - storage.Millis(r.IntN(20_000)/5000*5000) + storage.Millis(r.IntN(40)/39*9000)
				s := sample{name, fmt.Sprint("ns", pod%2), fmt.Sprint(pod), at, r.Float64()}
				samples = append(samples, s)
				labels := s.labels().AppendTarget(nil, TargetLabels(n.name, "", n.source))
				if keep(labels, n.source) < 0 {
					continue
				}
				key := fmt.Sprint(labels)
				came[key] = true
				if all[key] == nil {
					all[key] = &naiveSeries{labels: labels, node: i}
				}
				all[key].open = true
				if at+n.offset <= now+maxAhead {
					all[key].add(at+n.offset, s.value)
				}
			}
		}
		for key, s := range all {
			if s.node == i && s.open && !came[key] {
				s.end(now)
			}
		}
		if now-swept >= sweepInterval {
			swept = now
			for key, s := range all {
				if !s.open && s.ended+keep(s.labels, nodes[s.node].source) < now {
					delete(all, key) // From before it, nothing is remembered.
				}
			}
		}
		n.feeder.answer(now, n.offset, samples...)
		holdRecent(t, r, recent, all, now, func(s *naiveSeries) storage.Millis { return keep(s.labels, nodes[s.node].source) })
	}
	recent.Want(nil)
	if s := recent.Stats(); s.Bytes != 0 || s.Series != 0 || len(recent.mu.symbols) != 0 || len(recent.mu.rings) != 0 {
		t.Errorf("something stays: %+v, symbols %v", s, recent.mu.symbols)
	}
	recent.index.spaces.Range(func(k, _ any) bool {
		t.Errorf("namespace %v stays", k)
		return true
	})
}

// holdRecent compares what is selected in some time with the model, as far back as
// it has to be kept.
func holdRecent(t *testing.T, r *rand.Rand, recent *Recent, all map[string]*naiveSeries, now storage.Millis, keep func(*naiveSeries) storage.Millis) {
	t.Helper()
	namespace, name := []string{"", "ns0", "ns1"}[r.IntN(3)], []string{"", "a", "b"}[r.IntN(3)]
	from := now - storage.Millis(r.IntN(100_000))
	to := from + storage.Millis(r.IntN(110_000))
	if r.IntN(10) == 0 {
		to = math.MaxInt64
	}
	got := map[string]string{}
	show := func(times []storage.Millis, values []float64, since storage.Millis) string {
		for len(times) > 0 && times[0] < since {
			times, values = times[1:], values[1:]
		}
		return fmt.Sprint(times, values)
	}
	recent.Select(namespace, name, nil, from, to, func(p Points) bool {
		key := fmt.Sprint(p.Labels)
		s := all[key]
		if s == nil || got[key] != "" {
			t.Errorf("%v is held, or twice", p.Labels)
			return false
		}
		got[key] = show(p.Times, p.Values, max(s.floor, now-keep(s)))
		return true
	})
	for key, s := range all {
		if namespace != "" && s.labels.Get("namespace") != namespace || name != "" && s.labels.Get(NameLabel) != name {
			continue
		}
		var times []storage.Millis
		var values []float64
		for i, at := range s.times {
			if at >= from && at <= to {
				times, values = append(times, at), append(values, s.values[i])
			}
		}
		want := show(times, values, max(s.floor, now-keep(s)))
		if have := got[key]; have != want && (have != "" || want != "[] []") {
			t.Errorf("at %d, from %d to %d: %v\n got %s\nwant %s", now, from, to, s.labels, have, want)
		}
		delete(got, key)
	}
	for key := range got {
		t.Errorf("%s was not asked for", key)
	}
}

// TestRecentBound holds that memory stays below the bound, and that it is said what
// is missing.
func TestRecentBound(t *testing.T) {
	const bound = 20_000
	r := newTestRecent(t, RecentOptions{MaxBytes: bound}, Selector{Name: "a", Range: 1_000_000}, Selector{Name: "b", Range: 1_000_000})
	f := newFeeder(t, r, "n", Cadvisor)
	answer := func(at storage.Millis) {
		var samples []sample
		for _, name := range []string{"a", "b"} {
			for pod := range 20 {
				samples = append(samples, sample{name, "ns", fmt.Sprint(pod), at, 1})
			}
		}
		f.answer(at, 0, samples...)
	}
	for i := range storage.Millis(200) {
		answer(1000 + i*15_000)
		if s := r.Stats(); s.Bytes > bound {
			t.Fatalf("%+v", s)
		}
	}
	s := r.Stats()
	short := r.Shortfall("ns", "")
	if s.Series+int64(short.Missing) != 40 || short.Missing == 0 || s.Refused == 0 || short.Shortened != int(s.Series) {
		t.Errorf("%+v; %+v", s, short)
	}
	newest := storage.Millis(1000 + 199*15_000)
	for pod, p := range found(r, "ns", "a", 0, newest) {
		if p.Times[len(p.Times)-1] != newest {
			t.Errorf("%s: %v", pod, p.Times)
		}
	}
	// With less to keep, what was missing is found again.
	r.Want([]Selector{{Name: "a", Range: 30_000}})
	answer(newest + 15_000)
	answer(newest + 30_000)
	answer(newest + 45_000)
	if short := r.Shortfall("", ""); short.Missing != 0 || r.Stats().Series != 20 {
		t.Errorf("%+v; %+v", short, r.Stats())
	}
	f.receiver.End(newest + 60_000)
	r.Want(nil)
	if s := r.Stats(); s.Bytes != 0 {
		t.Errorf("%+v", s)
	}
}

// TestRecentExpires holds that what is gone is forgotten, though nothing else
// happens to it.
func TestRecentExpires(t *testing.T) {
	r := newTestRecent(t, RecentOptions{}, Selector{Name: "a", Range: 60_000})
	f, other := newFeeder(t, r, "n", Cadvisor), newFeeder(t, r, "m", Cadvisor)
	f.answer(1000, 0, sample{"a", "x", "p", 1000, 1})
	f.receiver.End(16_000)
	other.answer(31_000, 0, sample{"a", "y", "p", 31_000, 1})
	if p := found(r, "x", "a", 0, 100_000)["p"]; !slices.Equal(p.Times, []storage.Millis{1000, 16_000}) {
		t.Errorf("%v", p)
	}
	other.answer(91_000, 0, sample{"a", "y", "p", 91_000, 1})
	if s := r.Stats(); s.Series != 1 || len(found(r, "x", "", 0, 100_000)) != 0 {
		t.Errorf("%+v", s)
	}
}
