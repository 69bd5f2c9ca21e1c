// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// naive keeps everything, in a map.
type naive map[string][]sample

func key(labels series.Labels) string {
	var b strings.Builder
	for _, label := range labels {
		fmt.Fprintf(&b, "%s=%q,", label.Name, label.Value)
	}
	return b.String()
}

func (n naive) add(key string, at storage.Millis, v float64) {
	if n != nil {
		n[key] = append(n[key], sample{at: at, v: v})
	}
}

// open is a series that a node has, for the model.
type openSeries struct {
	handle series.Handle
	key    string // Of the labels, with the target's.
	kind   int
	value  float64
	last   storage.Millis // By the node's clock.
	newest storage.Millis
}

// world is a store, and nodes that give it random answers.
type world struct {
	t      *testing.T
	random *rand.Rand
	store  *Store
	naive  naive
	now    storage.Millis
	nodes  []*worldNode
	// wild is that all values take as much room as values can.
	wild bool
}

type worldNode struct {
	name     string
	source   series.Source
	receiver series.Receiver
	chooser  series.Chooser
	seen     uint64
	offset   storage.Millis
	series   map[int]*openSeries
	newest   map[string]storage.Millis // Of all series that ever were.
}

func newWorld(t *testing.T, seed uint64, nodes int, keep Keep) *world {
	t.Helper()
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 7)), naive: naive{}, now: 1_763_749_000_000}
	w.store = New(Options{Instance: func(node string) string { return node + ":10250" }})
	if err := w.store.Keep(keep); err != nil {
		t.Fatal(err)
	}
	for i := range nodes {
		n := &worldNode{name: fmt.Sprintf("node-%d", i/2), source: series.Source(i % 2), newest: map[string]storage.Millis{}}
		w.begin(n)
		w.nodes = append(w.nodes, n)
	}
	return w
}

// begin has a node read.
func (w *world) begin(n *worldNode) {
	w.t.Helper()
	n.receiver = w.store.Receiver(n.name, n.source)
	chooser, ok := n.receiver.(series.Chooser)
	if !ok {
		w.t.Fatal("a receiver that does not choose")
	}
	n.chooser, n.seen, n.series = chooser, chooser.Generation(), map[int]*openSeries{}
}

func (n *worldNode) labels(i int) series.Labels {
	l := series.Labels{{Name: series.NameLabel, Value: fmt.Sprintf("metric_%d", i%7)}, {Name: "container", Value: fmt.Sprint("c", i%5)}}
	if i%3 != 0 {
		l = append(l, series.Label{Name: "namespace", Value: fmt.Sprint("ns", i%4)})
	}
	return append(l, series.Label{Name: "pod", Value: fmt.Sprint("pod", i)})
}

// answer commits one answer: some series come, some go, some have no new sample.
func (w *world) answer(n *worldNode, maxSeries int) {
	r := w.random
	if generation := n.chooser.Generation(); generation != n.seen {
		n.seen, n.series = generation, map[int]*openSeries{}
	}
	if !n.chooser.Wants("any") {
		return
	}
	if r.IntN(50) == 0 {
		n.offset = storage.Millis(r.IntN(3)-1) * 3000
	}
	b := &series.Batch{Node: n.name, Source: n.source, Sent: w.now, Received: w.now + 20, Offset: n.offset}
	target := series.TargetLabels(n.name, n.name+":10250", n.source)
	for i := range maxSeries {
		s := n.series[i]
		if s == nil {
			if r.IntN(8) != 0 {
				continue
			}
			labels := n.labels(i)
			s = &openSeries{key: key(labels.AppendTarget(nil, target)), kind: r.IntN(7), last: never, newest: never}
			if newest, ok := n.newest[s.key]; ok {
				s.newest = newest
			}
			s.handle = n.receiver.Open(labels, &series.Metadata{})
			if s.handle == 0 {
				w.t.Fatal("a series that is not taken")
			}
			n.series[i] = s
		}
		at := w.now - n.offset - storage.Millis(i%5*700)
		if s.last != never && r.IntN(4) == 0 {
			at = s.last
		}
		if r.IntN(200) == 0 {
			at += 60_000 // Ahead of us, to be dropped.
		}
		s.value = w.nextValue(s)
		b.Handles = append(b.Handles, s.handle)
		b.Times = append(b.Times, at)
		b.Values = append(b.Values, s.value)
		ours := at + n.offset
		switch {
		case at == s.last || ours > b.Received+maxAhead:
		case ours <= s.newest:
			s.last = at
		default:
			s.last, s.newest = at, ours
			w.naive.add(s.key, ours, s.value)
		}
	}
	var gone []series.Handle
	for _, i := range slices.Sorted(maps.Keys(n.series)) { // for a seed to be worth its name
		s := n.series[i]
		if r.IntN(40) != 0 || slices.Contains(b.Handles, s.handle) && r.IntN(2) == 0 {
			continue
		}
		if at := slices.Index(b.Handles, s.handle); at >= 0 && r.IntN(4) > 0 {
			continue // It stays.
		}
		gone = append(gone, s.handle)
		w.mark(n, s, b.Sent)
		delete(n.series, i)
	}
	n.receiver.Commit(b, gone)
}

func (w *world) mark(n *worldNode, s *openSeries, at storage.Millis) {
	if s.newest != never {
		s.newest = max(at, s.newest+1)
		w.naive.add(s.key, s.newest, series.StaleMarker())
	}
	n.newest[s.key] = s.newest
}

func (w *world) nextValue(s *openSeries) float64 {
	r := w.random
	if w.wild {
		return r.NormFloat64()
	}
	switch s.kind {
	case 0:
		return s.value // Constant.
	case 1:
		return math.Round((s.value+r.Float64()*20)*1e9) / 1e9
	case 2:
		return float64(r.IntN(1<<20) * 4096)
	case 3:
		return s.value + float64(r.IntN(5))
	case 4:
		return r.Float64()
	case 5:
		all := values()
		return all[r.IntN(len(all))]
	default:
		return float64(r.IntN(1 << 40))
	}
}

// compare fails unless Select has all that the naive store has, from a time on.
func (w *world) compare(namespace, name string, from, to storage.Millis) {
	w.t.Helper()
	got := naive{}
	w.store.Select(namespace, name, nil, from, to, func(p series.Points) bool {
		for i := range p.Times {
			got.add(key(p.Labels), p.Times[i], p.Values[i])
		}
		return true
	})
	want := naive{}
	for k, samples := range w.naive {
		if name != "" && !strings.Contains(k, fmt.Sprintf("__name__=%q", name)) || namespace != "" && !strings.Contains(k, fmt.Sprintf("namespace=%q", namespace)) {
			continue
		}
		for _, x := range samples {
			if x.at >= from && x.at <= to {
				want[k] = append(want[k], x)
			}
		}
	}
	if len(got) != len(want) {
		w.t.Errorf("%d series in %q of %q, want %d", len(got), namespace, name, len(want))
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		w.equal(k, got[k], want[k])
	}
}

func (w *world) equal(k string, got, want []sample) {
	w.t.Helper()
	if len(got) != len(want) {
		w.t.Fatalf("%s: %d samples, want %d", k, len(got), len(want))
	}
	for i := range got {
		if got[i].at != want[i].at || math.Float64bits(got[i].v) != math.Float64bits(want[i].v) {
			w.t.Fatalf("%s: sample %d is %v, want %v", k, i, got[i], want[i])
		}
	}
}

// TestModel holds the store against one that keeps everything, while there is room.
func TestModel(t *testing.T) {
	var dropped uint64
	for seed := range uint64(6) {
		keep := Keep{MaxBytes: MinBytes, Sources: series.SourceSetOf(series.Resource, series.Cadvisor)}
		w := newWorld(t, seed, 4, keep)
		start := w.now
		for range 250 {
			n := w.nodes[w.random.IntN(len(w.nodes))]
			w.now += storage.Millis(w.random.IntN(4000))
			switch w.random.IntN(60) {
			case 0: // The node goes and comes again.
				for _, s := range n.series {
					w.mark(n, s, w.now)
				}
				n.receiver.End(w.now)
				w.begin(n)
			case 1: // Another source makes handles be forgotten, and nothing else.
				keep.Sources ^= series.SourceSetOf(series.Summary)
				for _, n := range w.nodes {
					for _, s := range n.series {
						n.newest[s.key] = s.newest
					}
				}
				if err := w.store.Keep(keep); err != nil {
					t.Fatal(err)
				}
			default:
				w.answer(n, 60)
			}
		}
		w.compare("", "", start, w.now+10_000)
		w.compare("", "metric_3", start, w.now)
		w.compare("ns1", "", start+(w.now-start)/3, start+(w.now-start)/2)
		w.compare("kube-system", "metric_3", start, w.now)
		w.compare("absent", "", start, w.now)
		if s := w.store.Stats(); s.Broken != 0 || s.Misses != 0 || s.Blocks == 0 || s.Ahead == 0 {
			t.Errorf("seed %d: %+v", seed, s)
		} else {
			dropped += s.OutOfOrder
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if dropped == 0 {
		t.Error("no sample was out of order")
	}
}

// TestOverwritten holds that where there is no room, the oldest goes, what is left
// is right, and nothing is left on the heap of what is gone.
func TestOverwritten(t *testing.T) {
	if testing.Short() {
		t.Skip("fills the least memory that there can be, several times")
	}
	w := newWorld(t, 1, 4, Keep{MaxBytes: MinBytes, Sources: series.SourceSetOf(series.Resource, series.Cadvisor)})
	w.wild = true
	for w.store.Stats().Bytes < MinBytes || w.store.stats.written.Load() < 2*MinBytes {
		for _, n := range w.nodes {
			w.answer(n, 1500)
		}
		w.now += 15_000
	}
	last := map[string]sample{}
	for k, samples := range w.naive {
		last[k] = samples[len(samples)-1]
	}
	found, all := 0, 0
	w.store.Select("", "", nil, 0, w.now+10_000, func(p series.Points) bool {
		k := key(p.Labels)
		samples := w.naive[k]
		all += len(samples)
		for i := range p.Times {
			at, ok := slices.BinarySearchFunc(samples, p.Times[i], func(s sample, t storage.Millis) int { return int(s.at - t) })
			if !ok || math.Float64bits(samples[at].v) != math.Float64bits(p.Values[i]) {
				t.Fatalf("%s: a sample that never was", k)
			}
			found++
		}
		// Of a series that went, or paused, a block may be overwritten that is newer than
		// one that is not: each is put where its name has it.
		if i := len(p.Times) - 1; p.Times[i] != last[k].at && last[k].at > w.now-20_000 {
			t.Errorf("%s: lacks the sample of the last answer", k)
		}
		return true
	})
	s := w.store.Stats()
	if found == 0 || found == all || s.Bytes != MinBytes || s.Since == 0 {
		t.Errorf("found %d of %d samples: %+v", found, all, s)
	}

	// Once the nodes are gone and what they said is overwritten, so are their names.
	for _, n := range w.nodes[1:] {
		n.receiver.End(w.now)
	}
	w.nodes, w.naive = w.nodes[:1], nil
	for s = w.store.Stats(); s.Targets > 1 && s.Written < 20*MinBytes; s = w.store.Stats() {
		for range 10 {
			w.answer(w.nodes[0], 1000)
			w.now += 15_000
		}
	}
	if s.Targets != 1 || s.Series > 3*laneSeries || s.Bytes != MinBytes {
		t.Errorf("after nodes went: %+v", s)
	}
}
