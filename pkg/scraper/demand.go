// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// InputStore takes in what is scraped for custom metrics; *input.Store is one.
type InputStore interface {
	// Keep says which inputs are wanted from now on.
	Keep(set input.Set)
	// Commit takes in one answer of one source of one node.
	Commit(batch *input.Batch) (input.CommitResult, error)
	// Forget drops a node. No Commit of that node overlaps or follows it,
	// unless the node was set again meanwhile.
	Forget(node string)
}

// demandGap is the time between two nodes' first answers to a new demand: two
// seconds for a thousand nodes.
const demandGap = 2 * time.Millisecond

// demand is which inputs and which sources of series are wanted, and since when. It
// is immutable.
type demand struct {
	set input.Set
	// consumers is what each of Options.Series wants; empty is nothing.
	consumers []series.SourceSet
	at        time.Time
	// spread is the time over which the nodes are asked for what is new.
	spread time.Duration
}

// demands is the newest demand.
type demands struct {
	// order keeps the store and the loops from being told of two demands in
	// different orders.
	order   sync.Mutex
	current atomic.Pointer[demand]
}

// Demand says which inputs are wanted from now on, whatever was wanted before.
// Nodes are asked for new ones at once, spread over two seconds for a thousand
// of them, and then with each scrape; what is not wanted any more is not asked
// for and is dropped. It does not wait for any node, and does nothing without
// Options.Inputs.
func (m *Manager) Demand(set input.Set) {
	if m.options.Inputs == nil {
		return
	}
	if m.options.NoSummary {
		set &^= input.Summary.Of()
	}
	m.demands.order.Lock()
	defer m.demands.order.Unlock()
	if old := m.demands.current.Load(); old != nil && old.set == set {
		return
	}
	m.demandLocked(demand{set: set, consumers: m.demands.load().consumers})
}

// demandLocked replaces the demand. The caller holds the order of demands.
func (m *Manager) demandLocked(d demand) {
	d.at, d.spread = time.Now(), min(time.Duration(len(m.loops()))*demandGap, m.options.Resolution)
	old := m.demands.current.Swap(&d)
	if m.options.Inputs != nil && (old == nil || old.set != d.set) {
		m.options.Inputs.Keep(d.set)
	}
	// A loop that is not among these by now begins with the new demand.
	for _, l := range m.loops() {
		l.demanded.Store(true)
		m.queue.hurry(l)
	}
}

// series is what consumers want, all together.
func (d *demand) series() (set series.SourceSet) {
	for _, c := range d.consumers {
		set |= c
	}
	return set
}

// load is the newest demand; before the first, nothing is wanted.
func (d *demands) load() demand {
	if current := d.current.Load(); current != nil {
		return *current
	}
	return demand{}
}
