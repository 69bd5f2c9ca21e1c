// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// seriesBit is set in the numbers of our series, above those of a lane, of which
// there are fewer than 2^31, and of a series in it. It is not set in
// those of rings.
const seriesBit = 1 << 63

// Select gives each series that has samples in a time, as series.Recent.Select
// does. What was overwritten is left out, without a word: Stats says how far back
// there is anything. Some series may come twice, in parts: those of a node that was
// deleted and came back.
//
// What it gives belongs to who asked, and stays valid.
//
// It reads all series of each target that has one that matches, at about 10 ns a
// sample.
func (s *Store) Select(namespace, name string, match func(series.Labels) bool, from, to storage.Millis, each func(series.Points) bool) {
	if s.Sources() == 0 {
		return
	}
	q := query{store: s, namespace: namespace, name: name, match: match, from: from, to: to}
	for _, t := range s.all() {
		for _, part := range q.parts(t) {
			if !q.read(t.source, part, each) {
				return
			}
		}
	}
}

// A query is a Select under way.
type query struct {
	store           *Store
	namespace, name string
	match           func(series.Labels) bool
	from, to        storage.Millis

	block  []byte
	scan   scan
	merged series.Labels
}

// part is what is to be read of a lane.
type part struct {
	lane   uint32
	series []*found
	byID   map[uint32]*found
	blocks []blockRef
	open   []byte // The open block.
}

// found is a series that matches, and its samples.
type found struct {
	id     uint32
	labels series.Labels
	times  []storage.Millis
	values []float64
}

// parts are what has to be read of a target. Nothing of them is written again.
func (q *query) parts(t *target) []part {
	var name, namespace uint32
	if q.name != "" {
		if name = t.plusOne(q.name); name == 0 {
			return nil
		}
	}
	if q.namespace != "" {
		if namespace = t.plusOne(q.namespace); namespace == 0 {
			return nil
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var parts []part
	for _, l := range t.mu.lanes {
		p := part{lane: l.number, byID: map[uint32]*found{}}
		for _, ref := range l.blocks {
			if ref.first <= q.to && ref.last >= q.from {
				p.blocks = append(p.blocks, ref)
			}
		}
		open := l.stream.samples > 0 && l.stream.first <= q.to && l.stream.last >= q.from
		if len(p.blocks) == 0 && !open {
			continue
		}
		for i := range l.entries {
			e := &l.entries[i]
			if name != 0 && e.name != name || namespace != 0 && e.namespace != namespace {
				continue
			}
			if labels := q.labels(t, e); labels != nil {
				f := &found{id: e.id, labels: labels}
				p.series = append(p.series, f)
				p.byID[e.id] = f
			}
		}
		if len(p.series) == 0 {
			continue
		}
		if open {
			p.open = append([]byte(nil), l.stream.buf...)
		}
		parts = append(parts, p)
	}
	return parts
}

// labels is the labels of a series that matches; nil where it does not.
func (q *query) labels(t *target, e *entry) series.Labels {
	own := t.symbols.labels(q.merged[:0], e.labels)
	q.merged = own
	labels := own.AppendTarget(nil, t.labels)
	// The numbers that were compared may be those of other strings by now.
	if q.name != "" && labels.Get(series.NameLabel) != q.name || q.namespace != "" && labels.Get("namespace") != q.namespace {
		return nil
	}
	if q.match != nil && !q.match(labels) {
		return nil
	}
	return labels
}

// read gives the series of a part to each.
func (q *query) read(source series.Source, p part, each func(series.Points) bool) bool {
	for _, ref := range p.blocks {
		var ok bool
		if q.block, ok = q.store.get(q.block[:0], p.lane, ref.seq); !ok {
			q.store.stats.misses[source].Add(1)
			continue
		}
		q.store.stats.hits[source].Add(1)
		q.collect(q.block, p.byID)
	}
	if p.open != nil {
		q.collect(p.open, p.byID)
	}
	for _, f := range p.series {
		if len(f.times) == 0 {
			continue
		}
		if !each(series.Points{Series: seriesBit | uint64(p.lane)<<32 | uint64(f.id), Labels: f.labels, Times: f.times, Values: f.values}) {
			return false
		}
	}
	return true
}

// collect adds the samples of a block to the series that are wanted.
func (q *query) collect(block []byte, byID map[uint32]*found) {
	q.scan.start(block)
	var wanted []*found // By the places of series in the block.
	for q.scan.next() {
		place := q.scan.place - 1
		if place == len(wanted) {
			wanted = append(wanted, byID[q.scan.id])
		}
		f := wanted[place]
		if f == nil || q.scan.time < q.from || q.scan.time > q.to {
			continue
		}
		f.times = append(f.times, q.scan.time)
		f.values = append(f.values, q.scan.value)
	}
	if q.scan.err != nil {
		q.store.stats.broken.Add(1)
	}
}
