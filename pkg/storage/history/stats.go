// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"slices"
	"sync/atomic"

	"github.com/VictoriaMetrics/fastcache"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// Stats are figures of a Store.
type Stats struct {
	// Bytes is what the cache has taken of MaxBytes, which is what it may; Overhead
	// is about what is on the heap beside it: labels, open blocks, and what is
	// needed to write them.
	Bytes, MaxBytes, Overhead int64
	// Targets, Series and Blocks are how many are held.
	Targets, Series, Blocks int
	// Samples counts those taken in, and the bytes that they were written as once
	// their block was full. The others were not: OutOfOrder were older than their
	// predecessor, Ahead from the future.
	Samples, Written, OutOfOrder, Ahead uint64
	// Hits and Misses count blocks that readers looked for, Broken those that could
	// not be read to their end, which is a bug of ours.
	Hits, Misses, Broken uint64
	// Sheds counts how often all was given up.
	Sheds uint64
	// Since is from when on at least nine of ten targets have all that there was; 0
	// where there is nothing.
	Since storage.Millis
	// BySource is some of these of each source.
	BySource [series.Sources]SourceStats
}

// SourceStats are figures of one source of all nodes.
type SourceStats struct {
	// Targets is how many nodes' there are, Series and Blocks how many are held.
	Targets, Series, Blocks int
	// Hits and Misses count blocks that readers looked for.
	Hits, Misses uint64
	// Since is from when on at least nine of ten nodes' have all that there was; 0
	// where there is nothing.
	Since storage.Millis
}

type storeStats struct {
	samples, written, outOfOrder, ahead, blocks, broken, sheds atomic.Uint64
	hits, misses                                               [series.Sources]atomic.Uint64
}

// Stats is the figures as they are now. It takes time in proportion to the targets.
func (s *Store) Stats() Stats {
	st := Stats{
		Samples: s.stats.samples.Load(), Written: s.stats.written.Load(), OutOfOrder: s.stats.outOfOrder.Load(), Ahead: s.stats.ahead.Load(),
		Broken: s.stats.broken.Load(), Sheds: s.stats.sheds.Load(),
	}
	s.mu.Lock()
	st.Overhead = s.mu.symbols.size()
	s.mu.Unlock()
	var since []storage.Millis
	var bySource [series.Sources][]storage.Millis
	for _, t := range s.all() {
		st.Targets++
		st.BySource[t.source].Targets++
		if first, ok := t.count(&st); ok {
			since = append(since, first)
			bySource[t.source] = append(bySource[t.source], first)
		}
	}
	st.Since = nineOfTen(since)
	for source := range st.BySource {
		one := &st.BySource[source]
		one.Since = nineOfTen(bySource[source])
		one.Hits, one.Misses = s.stats.hits[source].Load(), s.stats.misses[source].Load()
		st.Hits += one.Hits
		st.Misses += one.Misses
	}
	s.cache.RLock()
	defer s.cache.RUnlock()
	if s.cache.blocks != nil {
		var c fastcache.Stats
		s.cache.blocks.UpdateStats(&c)
		st.Bytes, st.MaxBytes = int64(c.BytesSize), int64(c.MaxBytesSize)
		st.Overhead += int64(c.EntriesCount) * indexBytes
	}
	return st
}

// nineOfTen is the time that nine of ten are not after; 0 of none.
func nineOfTen(times []storage.Millis) storage.Millis {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[(len(times)*9-1)/10]
}

// indexBytes is about what the cache's own index takes for a block.
const indexBytes = 36

// count adds what a target has. first is from when on it has all that there was; ok
// is false where it has nothing, or gets nothing more.
func (t *target) count(st *Stats) (first storage.Millis, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := &st.BySource[t.source]
	for _, l := range t.mu.lanes {
		st.Series += len(l.entries)
		st.Blocks += len(l.blocks)
		own.Series += len(l.entries)
		own.Blocks += len(l.blocks)
		st.Overhead += int64(cap(l.stream.buf)) + int64(cap(l.entries))*entryBytes + int64(l.open)*slotBytes + int64(cap(l.blocks))*blockRefBytes
		if since, has := l.since(); has && (!ok || since > first) {
			first, ok = since, true
		}
	}
	return first, ok && !t.mu.ended
}
