// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package remotewrite

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/message"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/queue"
)

// staleBits is the NaN that says that a series ends.
const staleBits = 0x7ff0000000000002

// A row is a sample that waits for its body.
type row struct {
	ref   uint32
	ends  bool
	value float64
	time  storage.Millis
	start int64
}

// A lane is the series that are posted one body after the other.
type lane struct {
	rows []row
	// batch is the number of the next body.
	batch uint64
	// since is when the first row came, and at the earliest time at which one of
	// the rows' answers was asked for.
	since time.Time
	at    storage.Millis
}

// A batcher makes bodies of blocks. It is one goroutine's.
type batcher struct {
	o        *Options
	table    *table
	encoder  *message.Encoder
	protocol func() message.Protocol
	queue    *queue.Queue

	lanes []lane
	epoch uint64
	// batches is the number of the last batch that was begun.
	batches uint64
	// ready is bodies that are not in the queue yet, spare their memory.
	ready []queue.Record
	spare [][]byte
	// rate counts the samples since rateSince.
	rate      int
	rateSince time.Time
	// described is when 1.0 was last told of the families.
	described time.Time
	// at is when the answer was asked for that is being processed, newest that of
	// the newest so far.
	at, newest storage.Millis

	// counts is the batcher's own, and published after each block.
	counts struct{ taken, repeated, outOfOrder int64 }

	taken, repeated, outOfOrder, accepted, pending, laneCount atomic.Int64
}

func newBatcher(o *Options, t *table, q *queue.Queue, protocol func() message.Protocol, now time.Time) *batcher {
	b := &batcher{o: o, table: t, encoder: message.NewEncoder(t.symbols), protocol: protocol, queue: q, rateSince: now}
	b.divide(o.MinLanes, now)
	return b
}

// divide divides the series into n lanes from now on. No lane has rows.
func (b *batcher) divide(n int, now time.Time) {
	b.lanes = make([]lane, n)
	for i := range b.lanes {
		b.begin(&b.lanes[i])
	}
	b.epoch = max(b.epoch+1, uint64(now.UnixNano()))
	b.laneCount.Store(int64(n))
}

func (b *batcher) begin(l *lane) {
	b.batches++
	l.batch = b.batches
	l.rows = l.rows[:0]
}

// process puts a block's samples into lanes, and full lanes into the queue.
func (b *batcher) process(block *block, now time.Time) {
	b.resize(now)
	b.at = block.at
	b.table.mu.Lock()
	refs := block.refs
	if block.skip {
		for _, ref := range refs {
			b.table.entries[ref].shipped = true
		}
		refs = nil
	}
	for i, ref := range refs {
		if e := &b.table.entries[ref]; e.start && e.run != 0 {
			b.table.runs[e.run].start = startOf(block.values[i])
		}
	}
	for i, ref := range refs {
		b.add(ref, block.times[i], block.values[i], now)
	}
	for _, ref := range block.gone {
		b.end(ref, block, now)
	}
	b.table.mu.Unlock()
	b.deliver()
	if block.from != nil {
		b.newest = max(b.newest, block.at)
		block.from.accepted.Store(int64(block.at))
	}
}

// reached is the time up to which all that was asked for is in the queue.
func (b *batcher) reached() storage.Millis {
	at := b.newest
	for i := range b.lanes {
		if l := &b.lanes[i]; len(l.rows) > 0 {
			at = min(at, l.at-1)
		}
	}
	return at
}

// startOf is a start in milliseconds from one in seconds; 0 where it is none.
func startOf(seconds float64) int64 {
	if seconds > 0 && seconds < 1e11 {
		return int64(math.Round(seconds * 1000))
	}
	return 0
}

// add takes a sample. The table is locked.
func (b *batcher) add(ref uint32, t storage.Millis, value float64, now time.Time) {
	e := &b.table.entries[ref]
	if e.last == 0 {
		b.table.recall(e)
	}
	switch {
	case t == e.last:
		// A node repeats a sample until it has a new one.
		b.counts.repeated++
		return
	case t < e.last:
		b.counts.outOfOrder++
		return
	}
	r := row{ref: ref, value: value, time: t}
	if e.run != 0 && !e.start {
		if start := b.table.runs[e.run].start; start <= int64(t) {
			r.start = start
		}
	}
	b.counts.taken++
	b.put(e, r, now)
}

// end takes the end of a series. The table is locked.
func (b *batcher) end(ref uint32, block *block, now time.Time) {
	e := &b.table.entries[ref]
	if (e.last != 0 || e.shipped) && !block.silent {
		marker := row{ref: ref, ends: true, value: math.Float64frombits(staleBits), time: max(block.at, e.last+1)}
		hash := e.hash
		b.put(e, marker, now)
		// The entry is closed already where the marker filled its body.
		b.table.remember(hash, end{marker.time, b.table.entries[ref].batch})
		return
	}
	// Nothing of it was shipped, or nothing more is to be. What of it waits for its
	// body needs the series still.
	if l := &b.lanes[e.hash%uint64(len(b.lanes))]; e.batch == l.batch {
		b.encode(l)
	}
	if e.last != 0 {
		b.table.remember(e.hash, end{e.last, e.batch})
	}
	b.table.closeLocked(ref)
}

// put puts a row into its series' lane.
func (b *batcher) put(e *entry, r row, now time.Time) {
	l := &b.lanes[e.hash%uint64(len(b.lanes))]
	if e.batch == l.batch {
		// A body has one sample of a series.
		b.encode(l)
	}
	if len(l.rows) == 0 {
		l.since, l.at = now, b.at
	}
	l.at = min(l.at, b.at)
	e.batch, e.last = l.batch, r.time
	l.rows = append(l.rows, r)
	b.rate++
	if len(l.rows) >= b.o.MaxSamples {
		b.encode(l)
	}
}

// encode makes a body of a lane. The table is locked.
func (b *batcher) encode(l *lane) {
	if len(l.rows) == 0 {
		return
	}
	protocol := b.protocol()
	b.encoder.Begin(protocol)
	record := queue.Record{
		Epoch: b.epoch, Lane: uint16(b.laneOf(l)), Protocol: uint8(protocol), Samples: uint32(len(l.rows)),
		Oldest: l.rows[0].time, Newest: l.rows[0].time,
	}
	for i := range l.rows {
		r := &l.rows[i]
		b.encoder.Append(&b.table.entries[r.ref].series, r.value, int64(r.time), r.start)
		record.Oldest, record.Newest = min(record.Oldest, r.time), max(record.Newest, r.time)
	}
	var body []byte
	if n := len(b.spare); n > 0 {
		body, b.spare = b.spare[n-1], b.spare[:n-1]
	}
	record.Body = b.encoder.AppendBody(body[:0])
	b.ready = append(b.ready, record)
	for i := range l.rows {
		if l.rows[i].ends {
			b.table.closeLocked(l.rows[i].ref)
		}
	}
	b.begin(l)
}

func (b *batcher) laneOf(l *lane) int {
	for i := range b.lanes {
		if l == &b.lanes[i] {
			return i
		}
	}
	panic("BUG: a lane that is not there")
}

// deliver gives what is ready to the queue. The table is not locked: the disk may
// be slow.
func (b *batcher) deliver() {
	for i := range b.ready {
		record := &b.ready[i]
		b.queue.Append(*record)
		b.accepted.Add(int64(record.Samples))
		if len(b.spare) < maxSpare {
			b.spare = append(b.spare, record.Body)
		}
		*record = queue.Record{}
	}
	b.ready = b.ready[:0]
	pending := 0
	for i := range b.lanes {
		pending += len(b.lanes[i].rows)
	}
	b.pending.Store(int64(pending))
	b.taken.Store(b.counts.taken)
	b.repeated.Store(b.counts.repeated)
	b.outOfOrder.Store(b.counts.outOfOrder)
}

// maxSpare is how many bodies' memory is kept.
const maxSpare = 4

// flush makes bodies of all lanes whose oldest row came before the given time.
func (b *batcher) flush(before time.Time) {
	b.table.mu.Lock()
	for i := range b.lanes {
		if l := &b.lanes[i]; len(l.rows) > 0 && !l.since.After(before) {
			b.encode(l)
		}
	}
	b.table.mu.Unlock()
	b.deliver()
}

// deadline is when the next lane has to be flushed; ok where one has rows.
func (b *batcher) deadline() (at time.Time, ok bool) {
	for i := range b.lanes {
		if l := &b.lanes[i]; len(l.rows) > 0 && (!ok || l.since.Before(at)) {
			at, ok = l.since, true
		}
	}
	return at.Add(b.o.Deadline), ok
}

// rateOver is over how long the rate of samples is measured.
const rateOver = 10 * time.Second

// resize divides the series into as many lanes as fill a body each within the
// deadline. Then the time that a body takes to be delivered may be as long as the
// deadline, and what has waited is delivered as many times faster as it is
// shorter.
func (b *batcher) resize(now time.Time) {
	elapsed := now.Sub(b.rateSince)
	if elapsed < rateOver {
		return
	}
	perDeadline := float64(b.rate) * float64(b.o.Deadline) / float64(elapsed)
	b.rate, b.rateSince = 0, now
	want := lanesFor(perDeadline, b.o)
	if want <= len(b.lanes) && 2*want >= len(b.lanes) {
		return
	}
	b.table.mu.Lock()
	defer b.table.mu.Unlock()
	for i := range b.lanes {
		b.encode(&b.lanes[i])
	}
	b.divide(want, now)
}

// lanesFor is how many lanes a number of samples in a deadline needs.
func lanesFor(perDeadline float64, o *Options) int {
	want := math.Ceil(perDeadline / float64(o.MaxSamples))
	return int(max(float64(o.MinLanes), min(want, float64(o.MaxLanes))))
}

// describe tells a receiver of 1.0 of the families, when it is time.
func (b *batcher) describe(now time.Time) {
	if b.o.MetadataInterval < 0 || now.Sub(b.described) < b.o.MetadataInterval || b.protocol() != message.V1 {
		return
	}
	all := b.table.metadata()
	if len(all) == 0 {
		return
	}
	b.described = now
	for len(all) > 0 {
		n := min(len(all), b.o.MaxSamples)
		b.queue.Append(queue.Record{
			Epoch: b.epoch, Protocol: uint8(message.V1), Newest: storage.MillisOf(now), Oldest: storage.MillisOf(now),
			Body: message.AppendMetadata(nil, all[:n]),
		})
		all = all[n:]
	}
}
