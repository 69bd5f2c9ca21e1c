// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestModel plays random histories of two nodes, honest and lying ones, to the
// store and to the naive one, and to a second store that takes no shortcut: it is
// given every layout anew, its pods are gone whenever it asks them again, and its
// reads bring no places. All three must agree on every read and every count.
func TestModel(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			newModel(t, seed).play(4000)
		})
	}
}

// model is the three stores side by side. Every node has a world that gives its
// answers; half of the seeds garble them.
type model struct {
	t       *testing.T
	random  *rand.Rand
	worlds  []*world
	naives  []*naive
	quick   *storage.Store
	merging *storage.Store
	garble  bool
	// pods and nodes are the places that reads of the quick store bring along.
	pods  map[string]*storage.PodPlace
	nodes map[string]*storage.NodePlace
	reads map[storage.Absence]int
}

func newModel(t *testing.T, seed uint64) *model {
	t.Helper()
	m := &model{
		t: t, random: rand.New(rand.NewPCG(seed, 8)), garble: seed%2 == 1, reads: map[storage.Absence]int{},
		pods: map[string]*storage.PodPlace{}, nodes: map[string]*storage.NodePlace{},
		worlds: []*world{newWorld(seed, "node-a", 5), newWorld(seed+1<<32, "node-b", 3)},
		naives: make([]*naive, 2),
	}
	var err error
	if m.quick, err = storage.New(storage.Options{Resolution: scriptResolve, FindPod: m.worlds[0].findPod}); err == nil {
		m.merging, err = storage.New(storage.Options{Resolution: scriptResolve, FindPod: statusFunc(m.status).findOnce})
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.naives {
		m.forget(i)
	}
	return m
}

func (m *model) status(namespace, name string) ([]storage.ContainerStatus, bool) {
	return m.worlds[0].podStatus(namespace, name)
}

func (m *model) forget(i int) {
	m.quick.Forget(m.worlds[i].node)
	m.merging.Forget(m.worlds[i].node)
	m.naives[i] = newNaive(storage.MillisIn(scriptResolve), m.status)
}

func (m *model) chance(p float64) bool { return m.random.Float64() < p }

func (m *model) play(steps int) {
	for step := range steps {
		i := m.random.IntN(len(m.worlds))
		w := m.worlds[i]
		switch {
		case m.chance(0.5):
			w.pass(w.between(0, 20))
		case m.chance(0.002):
			m.forget(i)
		case m.chance(0.02):
			w.pass(w.between(30, 150)) // out of reach
		}
		if m.chance(0.6) {
			m.commit(i, step)
		}
		m.read(i, step)
		if m.t.Failed() {
			m.t.FailNow()
		}
	}
	for _, absence := range []storage.Absence{storage.Present, storage.NoRate, storage.Stale, storage.NotReported, storage.Predates} {
		if m.reads[absence] == 0 {
			m.t.Errorf("no read gave %v: the history is too tame", absence)
		}
	}
}

func (m *model) commit(i, step int) {
	b := m.worlds[i].answer()
	if m.garble && m.chance(0.5) {
		m.spoil(b)
	}
	want := m.naives[i].commit(b)
	got, err := m.quick.Commit(b)
	if err != nil {
		m.t.Fatalf("step %d: %v", step, err)
	}
	anew := *b
	if b.Layout != nil {
		anew.Layout = &storage.Layout{Pods: slices.Clone(b.Layout.Pods), Containers: slices.Clone(b.Layout.Containers)}
	}
	merged, err := m.merging.Commit(&anew)
	if err != nil {
		m.t.Fatalf("step %d: %v", step, err)
	}
	// The batch belongs to us again: nothing that is served may rest on it.
	clear(b.Samples)
	clear(b.Estimates)
	if got != want || merged != want {
		m.t.Errorf("step %d: commit: got %+v, merging %+v, want %+v", step, got, merged, want)
	}
}

// spoil garbles an answer.
func (m *model) spoil(b *storage.Batch) {
	wild := func() uint64 {
		return []uint64{0, 1, 1000, m.random.Uint64N(1 << 40), 1 << 50, math.MaxInt64, 1 << 63, math.MaxUint64}[m.random.IntN(8)]
	}
	for row := range b.Samples {
		if m.chance(0.8) {
			continue
		}
		s := &b.Samples[row]
		switch m.random.IntN(9) {
		case 0:
			s.Time += storage.Millis(m.random.IntN(200_000) - 100_000)
		case 1:
			s.Time += storage.Millis(m.random.IntN(6000) - 3000)
		case 2:
			s.Time = storage.Millis(wild())
		case 3:
			s.Start = storage.Millis(wild())
		case 4:
			s.Start += storage.Millis(m.random.IntN(40_000) - 20_000)
		case 5:
			s.CPU = wild()
		case 6:
			s.Memory, s.Swap = wild(), wild()
		case 7:
			s.Has = storage.Fields(m.random.IntN(8))
		case 8:
			if b.Estimates != nil {
				b.Estimates[row] = wild()
			}
		}
	}
	if m.chance(0.1) {
		b.Usage = storage.Sample{Time: storage.Millis(wild()), CPU: wild(), Memory: wild(), Has: storage.Fields(m.random.IntN(8))}
	}
	if m.chance(0.05) {
		b.Offset += []storage.Millis{-1, 1, 5000, -5000, 86_400_000}[m.random.IntN(5)]
	}
	if m.chance(0.2) {
		m.leaveOut(b)
	}
}

// leaveOut leaves some containers out of an answer, or all of them.
func (m *model) leaveOut(b *storage.Batch) {
	var keys []storage.ContainerKey
	var kept []int32
	all := m.chance(0.1)
	for _, p := range b.Layout.Pods {
		for row := p.First; row < p.End; row++ {
			if !all && m.chance(0.7) {
				keys = append(keys, storage.ContainerKey{Namespace: p.Namespace, Pod: p.Name, Container: b.Layout.Containers[row]})
				kept = append(kept, row)
			}
		}
	}
	layout, rows := storage.NewLayout(keys)
	samples := make([]storage.Sample, len(keys))
	for i, row := range rows {
		samples[row] = b.Samples[kept[i]]
	}
	b.Samples, b.Estimates, b.Layout = samples, nil, layout
	if all {
		b.Layout = nil
	}
}

// placed is a query with places that are mostly right, and the pod of its name
// if the cluster knows one.
func (m *model) placed(q storage.PodQuery) storage.PodQuery {
	q.Known = m.worlds[0].findPod(q.Namespace, q.Name)
	node, pod := q.Node, q.Node+"/"+q.Name
	if m.chance(0.1) {
		node, pod = "any", "any"
	}
	if m.nodes[node] == nil {
		m.nodes[node] = &storage.NodePlace{}
	}
	if m.pods[pod] == nil {
		m.pods[pod] = &storage.PodPlace{}
	}
	if m.chance(0.9) {
		q.NodePlace = m.nodes[node]
	}
	if m.chance(0.9) {
		q.Place = m.pods[pod]
	}
	if q.Known != nil && m.chance(0.8) {
		q.Place = q.Known.Place()
	}
	return q
}

// read compares every pod and the node at a random moment.
func (m *model) read(i, step int) {
	w, n := m.worlds[i], m.naives[i]
	now := w.now
	if m.chance(0.2) {
		now += w.between(-3, 70)
	}
	for _, p := range w.pods {
		q := w.query(p)
		q.Containers, _ = m.status(q.Namespace, q.Name)
		if m.chance(0.2) {
			q.Started = 0
		}
		want, why := n.pod(q, now)
		check := func(store *storage.Store, q storage.PodQuery) {
			got, absence := store.Pod(nil, q, now)
			if absence != why || !reflect.DeepEqual(got, want) {
				m.t.Errorf("step %d: pod %s at %v: got %s, want %s", step, p.name, now-epoch, show(got, absence), show(want, why))
			}
		}
		check(m.merging, q)
		check(m.quick, m.placed(q))
		m.reads[why]++
		for _, c := range want.Containers {
			if c.CPU > math.MaxInt64 || c.Memory > math.MaxInt64 || c.Swap > math.MaxInt64 {
				m.t.Errorf("step %d: pod %s serves %+v", step, p.name, c)
			}
		}
	}
	want, why := n.node(now)
	for _, store := range []*storage.Store{m.quick, m.merging} {
		if got, absence := store.Node(w.node, now); absence != why || got != want {
			m.t.Errorf("step %d: node at %v: got %+v (%v), want %+v (%v)", step, now-epoch, got, absence, want, why)
		}
	}
}
