// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"sort"
	"sync/atomic"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// points is samples of a series, oldest first. Samples are only ever appended:
// what is below n is never written again, so readers need no lock and no copy,
// and when there is no room the samples that are still needed move to new
// points. That costs a copy of each sample for every quarter of the ring that is
// new, and some room to spare; a ring in place would have to be read by version,
// and copied by each reader.
type points struct {
	base   storage.Millis
	n      atomic.Uint32
	times  []uint32 // Milliseconds after base, ascending.
	values []float64
}

// pointBytes is what a sample takes, pointsBytes what points take beside them.
const (
	pointBytes  = 4 + 8
	pointsBytes = 64
)

// maxSpan is how far times may be from base.
const maxSpan = storage.Millis(1<<32 - 1)

func newPoints(base storage.Millis, capacity int) *points {
	return &points{base: base, times: make([]uint32, capacity), values: make([]float64, capacity)}
}

// size is what points with that room take.
func size(capacity int) int64 { return pointsBytes + int64(capacity)*pointBytes }

// append adds a sample; there must be room, and the time be within the span.
// Only the writer calls it.
func (p *points) append(t storage.Millis, v float64) {
	n := p.n.Load()
	p.times[n], p.values[n] = uint32(t-p.base), v
	p.n.Store(n + 1)
}

// newest is the time of the last sample; there must be one.
func (p *points) newest() storage.Millis { return p.base + storage.Millis(p.times[p.n.Load()-1]) }

// search is the index of the first of n samples that is not before t.
func (p *points) search(n int, t storage.Millis) int {
	if t <= p.base {
		return 0
	}
	if t-p.base > maxSpan {
		return n
	}
	after := uint32(t - p.base)
	times := p.times[:n]
	return sort.Search(n, func(i int) bool { return times[i] >= after })
}

// grown is p with room for one more sample at time t, without those before since.
// limit is for how many samples there may be room; at least one is kept room for,
// and the oldest samples make way.
func (p *points) grown(since, t storage.Millis, limit int) *points {
	n := int(p.n.Load())
	first := p.search(n, since)
	if first < n && t-p.base-storage.Millis(p.times[first]) > maxSpan {
		first = n
	}
	live := n - first
	// A multiple of two, so that little is lost to the allocator's sizes.
	capacity := min((live+max(4, live/4)+1)&^1, max(2, limit))
	if spare := max(1, capacity/8); live > capacity-spare {
		first += live - (capacity - spare)
		live = capacity - spare
	}
	base := t
	if live > 0 {
		base = p.base + storage.Millis(p.times[first])
	}
	q := newPoints(base, capacity)
	shift := uint32(base - p.base)
	for i := range live {
		q.times[i] = p.times[first+i] - shift
	}
	copy(q.values, p.values[first:n])
	q.n.Store(uint32(live))
	return q
}

// ring is the samples of one series.
type ring struct {
	// id is the series' own, and labels are, immutable.
	id     uint64
	labels Labels
	points atomic.Pointer[points]
	// keep is how far back samples are needed, in milliseconds.
	keep atomic.Int64
	// bytes is what points take, as far as it is accounted for; below zero where
	// the ring is no longer held.
	bytes atomic.Int64
	// shortened says that it had to do with less than keep.
	shortened atomic.Bool

	// What follows is guarded by Recent.mu.
	source Source
	hash   uint64
	list   *list
	// owner is the receiver that has it open; nil is that the series is gone, as
	// of ended.
	owner *recentReceiver
	ended storage.Millis
	// buried says that it is among those that are gone, dropped that it is not held
	// any more.
	buried, dropped bool
	// round is the owner's at which the series was seen.
	round uint64
}

// droppedBytes is added to the bytes of a ring that is no longer held.
const droppedBytes = -1 << 60

// shorten notes whether the ring has to do with less than it should have.
func (r *ring) shorten(is bool) {
	switch {
	case r.shortened.Swap(is) == is:
	case is:
		r.list.shortened.Add(1)
	default:
		r.list.shortened.Add(-1)
	}
}
