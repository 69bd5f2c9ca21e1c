// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package input

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestModel does random things to the store and to a naive one, and holds that
// both say the same of every pod and node after each.
func TestModel(t *testing.T) {
	for seed := range uint64(25) {
		rng := rand.New(rand.NewPCG(seed, 3))
		store, err := New(storage.Options{Resolution: 15 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		w := &modelWorld{
			t: t, rng: rng, seed: seed, store: store, now: 1_700_000_000_000,
			naive:  &naive{table: Table(), staleness: 60_000, nodes: map[string]*[Sources]*naiveSource{}},
			counts: map[string]*modelCounter{}, offsets: map[string]storage.Millis{}, layouts: map[string]*storage.Layout{},
		}
		w.keep()
		for range 300 {
			w.step()
			w.compare()
		}
		if w.present == 0 || w.rates == 0 {
			t.Errorf("seed %d: nothing was served: %d, %d", seed, w.present, w.rates)
		}
	}
}

// modelWorld is what happens to the two stores.
type modelWorld struct {
	t       *testing.T
	rng     *rand.Rand
	seed    uint64
	store   *Store
	naive   *naive
	now     storage.Millis
	counts  map[string]*modelCounter
	offsets map[string]storage.Millis
	layouts map[string]*storage.Layout

	present, rates int
}

// modelCounter is the true state of one row of one input.
type modelCounter struct {
	value uint64
	time  storage.Millis
}

func (w *modelWorld) chance(percent int) bool { return w.rng.IntN(100) < percent }

func (w *modelWorld) keep() {
	set := Set(w.rng.Uint64()) & All()
	w.store.Keep(set)
	w.naive.keep(set)
}

func (w *modelWorld) step() {
	w.now += storage.Millis(w.rng.IntN(20_000))
	node := fmt.Sprintf("node-%d", w.rng.IntN(2))
	switch w.rng.IntN(100) {
	case 0:
		w.keep()
	case 1:
		w.store.Forget(node)
		delete(w.naive.nodes, node)
	case 2, 3:
		w.offsets[node] += storage.Millis(w.rng.IntN(120_000) - 60_000)
	case 4:
		w.now += 3_600_000
	default:
		b := w.batch(node)
		w.naive.commit(b)
		if result, err := w.store.Commit(b); err != nil {
			w.t.Fatalf("seed %d: %+v, %v", w.seed, result, err)
		}
		// It belongs to us again.
		for id := range b.Columns {
			clear(b.Columns[id].Values)
			clear(b.Columns[id].Times)
		}
		clear(b.PodRuns)
		clear(b.ContainerRuns)
	}
}

// layout is the pods of a node: often those that it had.
func (w *modelWorld) layout(node string, source Source) *storage.Layout {
	name := fmt.Sprint(node, source)
	if layout, ok := w.layouts[name]; ok && w.chance(60) {
		return layout
	}
	var keys []storage.ContainerKey
	for p := range 3 {
		if w.chance(20) {
			continue
		}
		key := storage.ContainerKey{Namespace: "ns", Pod: fmt.Sprintf("p%d", p)}
		n := w.rng.IntN(3)
		for c := range n {
			key.Container = fmt.Sprintf("c%d", (c+p)%3)
			keys = append(keys, key)
		}
		if n == 0 {
			keys = append(keys, key)
		}
	}
	layout, _ := storage.NewLayout(keys)
	if len(keys) == 0 && w.chance(50) {
		layout = nil
	}
	w.layouts[name] = layout
	return layout
}

// batch is an answer of a node: counters that mostly grow, times that mostly
// advance, and some of everything that goes wrong.
func (w *modelWorld) batch(node string) *Batch {
	source := Source(w.rng.IntN(int(Sources)))
	b := &Batch{Node: node, Source: source, Sent: w.now - 50, Received: w.now, Offset: w.offsets[node], Inputs: source.Of()}
	if w.chance(20) {
		b.Inputs &= Set(w.rng.Uint64())
	}
	b.Layout = w.layout(node, source)
	run := func(name string) uint64 {
		c := w.counter("run " + name)
		if w.chance(3) {
			c.value++
		}
		if w.chance(2) {
			return 0
		}
		return c.value + 1
	}
	pods, containers := rows(b.Layout)
	for p := range pods {
		b.PodRuns = append(b.PodRuns, run(fmt.Sprint(node, source, b.Layout.Pods[p].Name)))
	}
	for c := range containers {
		b.ContainerRuns = append(b.ContainerRuns, run(fmt.Sprint(node, source, w.podOf(b.Layout, c), b.Layout.Containers[c])))
	}
	for id := range b.Inputs.Each() {
		b.Own[id] = w.reading(fmt.Sprint(node, id), b)
		if w.chance(5) {
			continue // The answer has none of it.
		}
		n := w.naive.table[id].Level.rows(b.Layout)
		column := Column{Values: make([]uint64, n), Times: make([]storage.Millis, n)}
		for i := range n {
			name := ""
			if w.naive.table[id].Level == OfPod {
				name = b.Layout.Pods[i].Name
			} else {
				name = fmt.Sprint(w.podOf(b.Layout, i), b.Layout.Containers[i])
			}
			r := w.reading(fmt.Sprint(node, id, name), b)
			column.Values[i], column.Times[i] = r.Value, r.Time
		}
		b.Columns[id] = column
	}
	return b
}

func (w *modelWorld) podOf(layout *storage.Layout, row int) string {
	for _, pod := range layout.Pods {
		if int(pod.First) <= row && row < int(pod.End) {
			return pod.Name
		}
	}
	return ""
}

func (w *modelWorld) counter(name string) *modelCounter {
	if w.counts[name] == nil {
		w.counts[name] = &modelCounter{}
	}
	return w.counts[name]
}

// reading is what a row says now.
func (w *modelWorld) reading(name string, b *Batch) Reading {
	c := w.counter(name)
	if w.chance(60) || c.time == 0 {
		at := w.now - b.Offset - storage.Millis(w.rng.IntN(10_000))
		if b.Source == Summary {
			at = at / 1000 * 1000
		}
		c.time, c.value = at, c.value+uint64(w.rng.IntN(1_000_000))
	}
	switch w.rng.IntN(100) {
	case 0, 1:
		return Reading{}
	case 2:
		c.value = 0
	case 3:
		return Reading{Value: c.value, Time: c.time + storage.Millis(w.rng.IntN(100_000))}
	case 4:
		return Reading{Value: math.MaxUint64, Time: c.time}
	case 5:
		return Reading{Value: c.value, Time: -1}
	}
	return Reading{Value: c.value, Time: c.time}
}

// compare asks both stores everything.
func (w *modelWorld) compare() {
	w.t.Helper()
	now := w.now + storage.Millis(w.rng.IntN(70_000)) - 5_000
	same := func(what string, id ID, got Value, gotAbsence storage.Absence, want Value, wantAbsence storage.Absence) {
		if gotAbsence != wantAbsence || got.Time != want.Time || got.Window != want.Window || math.Abs(got.Value-want.Value) > 1e-9*math.Abs(want.Value) {
			w.t.Fatalf("seed %d: %s, %s: got %+v, %v; want %+v, %v", w.seed, what, w.naive.table[id].Name, got, gotAbsence, want, wantAbsence)
		}
		if gotAbsence == storage.Present {
			w.present++
			if got.Window > 0 {
				w.rates++
			}
		}
	}
	// One request's: whether it remembers must make no difference.
	var recent *Recent
	if w.chance(50) {
		recent = &Recent{}
	}
	for n := range 3 {
		node := fmt.Sprintf("node-%d", n)
		for id := range IDs {
			if !w.chance(30) {
				continue
			}
			got, gotAbsence := w.store.Node(node, id, now)
			want, wantAbsence := w.naive.node(node, id, now)
			same(node, id, got, gotAbsence, want, wantAbsence)
			q := &storage.PodQuery{Node: node, Namespace: "ns", Name: fmt.Sprintf("p%d", w.rng.IntN(4))}
			if w.chance(10) {
				q.Started = w.now - w.offsets[node] - storage.Millis(w.rng.IntN(20_000))
			}
			for c := range 3 {
				if w.chance(25) {
					q.Containers = append(q.Containers, storage.ContainerStatus{Name: fmt.Sprintf("c%d", c), Running: w.chance(50)})
				}
			}
			got, gotAbsence = w.store.Pod(q, id, now, recent)
			want, wantAbsence = w.naive.pod(q, id, now)
			same(fmt.Sprintf("%+v", *q), id, got, gotAbsence, want, wantAbsence)
			w.checkPair(q, id, ID(w.rng.IntN(int(IDs))), now, recent)
		}
	}
}

// checkPair holds two inputs at once against each of them.
func (w *modelWorld) checkPair(q *storage.PodQuery, first, second ID, now storage.Millis, recent *Recent) {
	w.t.Helper()
	a, absence := w.store.Pod(q, first, now, nil)
	var b Value
	if absence == storage.Present {
		b, absence = w.store.Pod(q, second, now, nil)
	}
	if absence != storage.Present {
		a, b = Value{}, Value{}
	}
	gotA, gotB, gotAbsence := w.store.PodPair(q, first, second, now, recent)
	if gotA != a || gotB != b || gotAbsence != absence {
		w.t.Fatalf("%+v of %d and %d: %+v, %+v, %v, want %+v, %+v, %v", *q, first, second, gotA, gotB, gotAbsence, a, b, absence)
	}
}
