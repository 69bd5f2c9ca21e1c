// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package remotewrite

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/message"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// An entry is one open series.
type entry struct {
	series message.Series
	hash   uint64
	// last is the time of its newest sample; 0 is none yet.
	last storage.Millis
	// batch is the one of its lane that it is in; 0 is none.
	batch uint64
	// run is the container run that it counts or that it gives the start of; 0 is
	// none.
	run uint32
	// start says that its value is when its run began.
	start bool
	// shipped is that another replica has shipped it.
	shipped bool
}

// A run is a run of a container, which says when its counters began.
type run struct {
	key     string
	start   int64
	entries int
}

// A table is all open series. References are handles; 0 is no series. Its mutex is
// held for microseconds by receivers, for a body at most by the batcher, and never
// while anything is waited for.
type table struct {
	mu sync.Mutex
	// symbols and what follows is guarded by mu.
	symbols *message.Symbols
	entries []entry
	free    []uint32
	open    int
	runs    []run
	runFree []uint32
	runKeys map[string]uint32
	// families is what 1.0 is told from time to time.
	families map[string]message.Metadata
	// ended is what is left of series that ended and may come back, by hash.
	ended map[uint64]end
	seed  maphash.Seed
}

// An end is that of a series: its last sample, and the batch that this is in. A
// series that comes back neither goes on before its end nor is in a body with it.
type end struct {
	last  storage.Millis
	batch uint64
}

// maxFamilies and maxEnded bound what is remembered.
const (
	maxFamilies = 10_000
	maxEnded    = 100_000
)

func newTable() *table {
	return &table{
		symbols: message.NewSymbols(), entries: make([]entry, 1), runs: make([]run, 1),
		runKeys: map[string]uint32{}, families: map[string]message.Metadata{},
		ended: map[uint64]end{}, seed: maphash.MakeSeed(),
	}
}

// startFamily is the series whose value is when a container began, in seconds.
const startFamily = "container_start_time_seconds"

// add opens a series under the given labels. run names the container run that it
// belongs to; empty is none.
func (t *table) add(labels series.Labels, meta *series.Metadata, runKey string, start bool) uint32 {
	hash := labels.Hash(t.seed)
	t.mu.Lock()
	defer t.mu.Unlock()
	numbers := make([]uint32, 0, 2*len(labels))
	for _, l := range labels {
		numbers = append(numbers, t.symbols.Use(l.Name), t.symbols.Use(l.Value))
	}
	e := entry{hash: hash, start: start, series: message.NewSeries(t.symbols, numbers, typeOf(meta.Type), meta.Help, meta.Unit)}
	if runKey != "" {
		e.run = t.useRun(runKey)
	}
	t.describe(meta)
	t.open++
	if n := len(t.free); n > 0 {
		ref := t.free[n-1]
		t.free = t.free[:n-1]
		t.entries[ref] = e
		return ref
	}
	t.entries = append(t.entries, e)
	return uint32(len(t.entries) - 1)
}

// describe remembers a family. What Open is told is in the body of an answer, so
// that it is copied.
func (t *table) describe(meta *series.Metadata) {
	if _, ok := t.families[meta.Family]; ok || len(t.families) == maxFamilies || meta.Family == "" {
		return
	}
	family := strings.Clone(meta.Family)
	t.families[family] = message.Metadata{Family: family, Type: typeOf(meta.Type), Help: strings.Clone(meta.Help), Unit: strings.Clone(meta.Unit)}
}

func typeOf(t series.Type) message.Type {
	switch t {
	case series.Counter:
		return message.Counter
	case series.Gauge:
		return message.Gauge
	default:
		return message.Unknown
	}
}

// useRun is the run of a name.
func (t *table) useRun(key string) uint32 {
	if n, ok := t.runKeys[key]; ok {
		t.runs[n].entries++
		return n
	}
	key = strings.Clone(key)
	one := run{key: key, entries: 1}
	n := uint32(len(t.runs))
	if free := len(t.runFree); free > 0 {
		n = t.runFree[free-1]
		t.runFree = t.runFree[:free-1]
		t.runs[n] = one
	} else {
		t.runs = append(t.runs, one)
	}
	t.runKeys[key] = n
	return n
}

// remember keeps the end of a series.
func (t *table) remember(hash uint64, e end) {
	if len(t.ended) < maxEnded {
		t.ended[hash] = e
	}
}

// recall is told of the first sample of a series, which may have been here before.
func (t *table) recall(e *entry) {
	if before, ok := t.ended[e.hash]; ok {
		e.last, e.batch = before.last, before.batch
		delete(t.ended, e.hash)
	}
}

// closeLocked forgets a series.
func (t *table) closeLocked(ref uint32) {
	e := &t.entries[ref]
	e.series.Release(t.symbols)
	if e.run != 0 {
		r := &t.runs[e.run]
		if r.entries--; r.entries == 0 {
			delete(t.runKeys, r.key)
			*r = run{}
			t.runFree = append(t.runFree, e.run)
		}
	}
	*e = entry{}
	t.free = append(t.free, ref)
	t.open--
}

// endedFor is how long a series that ended is remembered, in milliseconds.
const endedFor = 5 * 60 * 1000

// sweep forgets the series that ended long ago.
func (t *table) sweep(now storage.Millis) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for hash, e := range t.ended {
		if e.last < now-endedFor {
			delete(t.ended, hash)
		}
	}
}

// metadata is what is known of all families.
func (t *table) metadata() []message.Metadata {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]message.Metadata, 0, len(t.families))
	for _, m := range t.families {
		all = append(all, m)
	}
	return all
}
