// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"sync"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// A target is the series of one source of one node.
type target struct {
	store   *Store
	source  series.Source
	symbols *symbols
	labels  series.Labels
	held    string // The labels, as symbols encodes them.

	// Used by the receiver alone.
	slots []slot
	free  []series.Handle

	// mu is held for a commit, and by readers while they copy.
	mu struct {
		sync.Mutex
		lanes []*lane
		// gone is where the series are that are gone and not forgotten, by their
		// labels.
		gone map[string]place
		// ended is that no receiver has the target.
		ended bool
	}
}

// place is a series in a target.
type place struct {
	lane int
	id   uint32
}

// slot is an open series.
type slot struct {
	lane int32
	id   uint32
	// block is the block that state is of.
	block uint32
	state state
	// last is the time of the newest sample by the node's clock, newest by ours.
	last, newest storage.Millis
}

// never is before all times.
const never = storage.Millis(-1 << 62)

// open is a handle for a series.
func (t *target) open(labels series.Labels) series.Handle {
	encoded := t.symbols.take(labels)
	t.mu.Lock()
	at, known := t.mu.gone[encoded]
	newest := never
	if known {
		t.symbols.drop(encoded) // Its entry has it already.
		delete(t.mu.gone, encoded)
		l := t.mu.lanes[at.lane]
		e := l.find(at.id)
		e.gone, newest = false, e.newest
		l.open++
	} else {
		at = t.addLocked(encoded, labels)
	}
	t.mu.Unlock()

	s := slot{lane: int32(at.lane), id: at.id, last: never, newest: newest}
	if n := len(t.free); n > 0 {
		h := t.free[n-1]
		t.free = t.free[:n-1]
		t.slots[h-1] = s
		return h
	}
	t.slots = append(t.slots, s)
	return series.Handle(len(t.slots))
}

// addLocked is a place for a series that was not here before.
func (t *target) addLocked(encoded string, labels series.Labels) place {
	at := len(t.mu.lanes) - 1
	if at < 0 || t.mu.lanes[at].open >= laneSeries {
		at = -1
		for i, l := range t.mu.lanes {
			if l.open < laneSeries {
				at = i
				break
			}
		}
	}
	if at < 0 {
		at = len(t.mu.lanes)
		t.mu.lanes = append(t.mu.lanes, newLane(t.store.nextLane.Add(1)))
	}
	l := t.mu.lanes[at]
	e := entry{labels: encoded, id: l.nextID}
	e.name = t.plusOne(labels.Get(series.NameLabel))
	e.namespace = t.plusOne(namespaceOf(labels, t.labels))
	l.nextID++
	l.entries = append(l.entries, e)
	l.open++
	return place{at, e.id}
}

// plusOne is the number of a string that a series or the target has, plus one; 0
// for the empty one.
func (t *target) plusOne(text string) uint32 {
	if n, ok := t.symbols.number(text); ok && text != "" {
		return n + 1
	}
	return 0
}

// namespaceOf is the namespace that a series has with the labels of its target.
func namespaceOf(labels, target series.Labels) string {
	const name = "namespace"
	for _, label := range labels {
		if label.Name == name {
			return label.Value // Also where it is empty: see series.Labels.AppendTarget.
		}
	}
	return target.Get(name)
}

// commit takes in the samples of an answer.
func (t *target) commit(b *series.Batch, gone []series.Handle) {
	stats := &t.store.stats
	var samples, outOfOrder, ahead uint64
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.mu.lanes {
		l.before = len(l.stream.buf)
	}
	for i, h := range b.Handles {
		s := &t.slots[h-1]
		if b.Times[i] == s.last {
			continue
		}
		at := b.Times[i] + b.Offset
		switch {
		case at > b.Received+maxAhead:
			ahead++
			continue
		case at <= s.newest:
			s.last = b.Times[i]
			if at < s.newest {
				outOfOrder++
			}
			continue
		}
		s.last = b.Times[i]
		t.appendLocked(s, at, b.Values[i])
		samples++
	}
	for _, h := range gone {
		t.markLocked(h, b.Sent)
		t.closeLocked(h)
	}
	for i, l := range t.mu.lanes {
		answer := len(l.stream.buf) - l.before
		if answer < 0 { // A block became full on the way.
			answer = len(l.stream.buf)
		}
		if l.stream.samples > 0 && l.full(answer) {
			t.flushLocked(i)
		}
	}
	stats.samples.Add(samples)
	if outOfOrder > 0 {
		stats.outOfOrder.Add(outOfOrder)
	}
	if ahead > 0 {
		stats.ahead.Add(ahead)
	}
}

// maxAhead is how far a sample may be ahead of our clock, as in series.Recent.
const maxAhead = 2000

// appendLocked adds a sample to the open block of a series' lane.
func (t *target) appendLocked(s *slot, at storage.Millis, v float64) {
	l := t.mu.lanes[s.lane]
	if len(l.stream.buf) > maxBlockBytes-maxSampleBytes {
		t.flushLocked(int(s.lane))
	}
	l.stream.append(s.id, &s.state, s.block != l.seq, at, v)
	s.block, s.newest = l.seq, at
}

// markLocked appends a stale marker to a series, if it has samples.
func (t *target) markLocked(h series.Handle, at storage.Millis) {
	if s := &t.slots[h-1]; s.newest != never {
		t.appendLocked(s, max(at, s.newest+1), series.StaleMarker())
	}
}

// closeLocked gives up a handle.
func (t *target) closeLocked(h series.Handle) {
	s := &t.slots[h-1]
	l := t.mu.lanes[s.lane]
	e := l.find(s.id)
	e.gone, e.newest, e.seq = true, s.newest, l.seq
	l.open--
	t.mu.gone[e.labels] = place{int(s.lane), s.id}
	*s = slot{lane: -1}
	t.free = append(t.free, h)
}

// flushLocked puts the open block of a lane into the cache, and begins another.
func (t *target) flushLocked(lane int) {
	l := t.mu.lanes[lane]
	if l.stream.samples > 0 {
		t.store.put(l.number, l.seq, l.stream.buf)
		l.blocks = append(l.blocks, blockRef{l.seq, l.stream.first, l.stream.last})
		l.seq++
	}
	l.stream.reset()
	t.trimLocked(l)
}

// trimLocked forgets blocks that are no longer in the cache, and with them series.
func (t *target) trimLocked(l *lane) {
	evicted := 0
	for evicted < len(l.blocks) && !t.store.has(l.number, l.blocks[evicted].seq) {
		evicted++
	}
	if evicted > 0 {
		l.blocks = append(l.blocks[:0], l.blocks[evicted:]...)
	}
	l.forget(func(labels string) {
		delete(t.mu.gone, labels)
		t.symbols.drop(labels)
	})
}

// end ends all series. What the blocks have stays.
func (t *target) end(at storage.Millis) {
	t.mu.Lock()
	for i := range t.slots {
		if t.slots[i].lane >= 0 {
			t.markLocked(series.Handle(i+1), at)
		}
	}
	t.mu.Unlock()
	t.suspend()
}

// suspend forgets all handles. Who has the target next may go on with its series.
func (t *target) suspend() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.slots {
		if t.slots[i].lane >= 0 {
			t.closeLocked(series.Handle(i + 1))
		}
	}
	for i := range t.mu.lanes {
		t.flushLocked(i)
	}
	t.slots, t.free = nil, nil
	t.mu.ended = true
}

// adopt says whether a new receiver may go on with the target, and has it do so.
func (t *target) adopt() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.mu.ended
	t.mu.ended = false
	return was
}

// over says whether the target has ended and nothing of it is to be had any more.
func (t *target) over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.mu.ended {
		return false
	}
	blocks := 0
	for _, l := range t.mu.lanes {
		t.trimLocked(l)
		blocks += len(l.blocks)
	}
	return blocks == 0
}

// drop gives back what the target holds of symbols. Nobody uses it after that.
func (t *target) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.symbols.drop(t.held)
	for _, l := range t.mu.lanes {
		for _, e := range l.entries {
			t.symbols.drop(e.labels)
		}
	}
	t.mu.lanes = nil
}
