// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// A Queue keeps records until they are acknowledged.
type Queue struct {
	o Options
	// wake has something in it when there may be something to read.
	wake chan struct{}

	// write is held by whoever writes records to the disk. It is taken before mu.
	write struct {
		sync.Mutex
		segment *segment
		file    file
		buf     []byte
	}
	// cursor is the reader's alone.
	cursor cursor
	// acked is the file of acknowledgements. It is never taken before mu.
	acked struct {
		sync.Mutex
		file    *ackFile
		version uint64
	}

	// mu is never held while something is read or written, but for the deletion of
	// files.
	mu struct {
		sync.Mutex
		// id names the queue; before is the name that it had at first, if another.
		id, before string
		// lock is held while the directory is ours; nil before that.
		lock *dirLock
		// fault is why the disk is not written, since when.
		fault error
		since time.Time
		// next is the number of the next record.
		next uint64
		// segments are sorted; their numbers are below those in memory.
		segments []*segment
		// memory is what is not on disk, oldest first.
		memory      []*held
		memoryBytes int64
		// lastRead is how far the reader is, window what it was given and did not
		// acknowledge.
		lastRead uint64
		window   map[uint64]flying
		acks     acks
		// version counts the changes of acks.
		version uint64
		dropped [Reasons]int64
		lost    int64
		// unsynced are files to which nothing is written any more; dirty says that
		// the current one was written since the last sync.
		unsynced []file
		dirty    bool
		newFiles bool
	}
}

// held is a record in memory.
type held struct {
	Record
	read, acked bool
}

// flying is a record that was read and is not acknowledged.
type flying struct {
	samples int64
	// segment is where it is; nil where it is held.
	segment *segment
	held    *held
}

// Open is the queue of a directory, with what it holds. A directory that cannot be
// used is no error: the queue is in memory then, and State says why.
func Open(o Options) *Queue {
	q := &Queue{o: o.withDefaults(), wake: make(chan struct{}, 1)}
	q.mu.next = 1
	q.mu.id = newID()
	q.mu.window = map[uint64]flying{}
	if q.o.Dir == "" {
		return q
	}
	q.write.Lock()
	defer q.write.Unlock()
	if err := q.attach(); err != nil {
		// What is in the directory is numbered from 1; a time is above all of it.
		q.mu.next = uint64(time.Now().UnixMicro())
		q.fail(err)
	}
	return q
}

// Append accepts a record, whose body it copies, and returns its number.
func (q *Queue) Append(r Record) uint64 {
	q.write.Lock()
	defer q.write.Unlock()
	q.mu.Lock()
	r.Seq = q.mu.next
	q.mu.next++
	direct := q.mu.lock != nil && q.mu.fault == nil
	q.mu.Unlock()
	if direct {
		err := q.writeRecord(&r)
		if err == nil {
			q.signal()
			return r.Seq
		}
		q.fail(err)
	}
	q.hold(&r)
	q.signal()
	return r.Seq
}

// signal wakes the reader.
func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// hold keeps a record in memory, and makes room for it. The caller holds write.
func (q *Queue) hold(r *Record) {
	h := &held{Record: *r}
	h.Body = bytes.Clone(r.Body)
	q.mu.Lock()
	q.mu.memory = append(q.mu.memory, h)
	q.mu.memoryBytes += h.size()
	full := q.mu.memoryBytes > q.o.MaxMemory && isNoSpace(q.mu.fault)
	q.mu.Unlock()
	if full && q.makeRoom() {
		// The oldest was on the disk, and what is in memory may have its place.
		q.repair()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.mu.memoryBytes > q.o.MaxMemory && len(q.mu.memory) > 1 {
		oldest := q.mu.memory[0]
		if !oldest.acked {
			q.mu.dropped[Full] += int64(oldest.Samples)
		}
		delete(q.mu.window, oldest.Seq)
		q.popLocked()
	}
}

// popLocked forgets the oldest record in memory.
func (q *Queue) popLocked() {
	q.mu.memoryBytes -= q.mu.memory[0].size()
	q.mu.memory[0] = nil
	q.mu.memory = q.mu.memory[1:]
}

// Next is the next record, when there is one. The body is the caller's. The only
// error is that of the context.
func (q *Queue) Next(ctx context.Context) (Record, error) {
	for {
		r, ok, more := q.tryNext()
		switch {
		case ok:
			return r, nil
		case more:
			if err := ctx.Err(); err != nil {
				return Record{}, err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return Record{}, ctx.Err()
		case <-q.wake:
		}
	}
}

// tryNext reads one record. There may be more also where that one is not to be
// had, or not to be sent.
func (q *Queue) tryNext() (r Record, ok, more bool) {
	q.mu.Lock()
	i := slices.IndexFunc(q.mu.segments, func(s *segment) bool { return s.last > q.mu.lastRead })
	if i < 0 {
		defer q.mu.Unlock()
		r, ok = q.readMemoryLocked()
		return r, ok, false
	}
	s := q.mu.segments[i]
	q.mu.Unlock()

	if q.cursor.segment != s {
		err := q.cursor.open(s)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			q.giveUp(s)
			return Record{}, false, true
		case err != nil:
			// Too many files are open, or the like: it is tried again within a second.
			return Record{}, false, false
		}
	}
	r, whole, err := q.cursor.read()
	if err != nil {
		q.giveUp(s)
		return Record{}, false, true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	_, flies := q.mu.window[r.Seq]
	switch {
	case r.Seq <= q.mu.lastRead || flies || q.mu.acks.has(r.Seq):
		q.mu.lastRead = max(q.mu.lastRead, r.Seq)
		return Record{}, false, true
	case !slices.Contains(q.mu.segments, s):
		// Dropped while it was read, and counted.
		return Record{}, false, true
	}
	q.mu.lastRead = r.Seq
	if !whole {
		s.records--
		s.samples -= int64(r.Samples)
		q.mu.dropped[Corrupt] += int64(r.Samples)
		q.trimLocked()
		return Record{}, false, true
	}
	q.mu.window[r.Seq] = flying{samples: int64(r.Samples), segment: s}
	return r, true, true
}

// readMemoryLocked is the oldest record in memory that was not read.
func (q *Queue) readMemoryLocked() (Record, bool) {
	// All that was read comes before all that was not.
	i, _ := slices.BinarySearchFunc(q.mu.memory, false, func(h *held, _ bool) int {
		if h.read {
			return -1
		}
		return 0
	})
	if i == len(q.mu.memory) {
		return Record{}, false
	}
	h := q.mu.memory[i]
	h.read = true
	q.mu.lastRead = max(q.mu.lastRead, h.Seq)
	q.mu.window[h.Seq] = flying{samples: int64(h.Samples), held: h}
	return h.Record, true
}

// giveUp counts what is left of a segment that cannot be read as dropped.
func (q *Queue) giveUp(s *segment) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.Contains(q.mu.segments, s) {
		return
	}
	var records, samples int64
	for _, f := range q.mu.window {
		if f.segment == s {
			records++
			samples += f.samples
		}
	}
	q.mu.dropped[Corrupt] += s.samples - samples
	s.records, s.samples = records, samples
	q.mu.lastRead = max(q.mu.lastRead, s.last)
	if q.cursor.segment == s {
		q.cursor.offset = s.size
	}
	q.trimLocked()
}

// Ack says that a record that was read is done with. It is false where the record
// had been dropped before that.
func (q *Queue) Ack(seq uint64) bool {
	q.mu.Lock()
	f, ok := q.mu.window[seq]
	if !ok {
		q.mu.Unlock()
		return false
	}
	delete(q.mu.window, seq)
	q.mu.acks.add(seq)
	low := q.mu.lastRead
	for other := range q.mu.window {
		low = min(low, other-1)
	}
	q.mu.acks.raise(low)
	if f.segment != nil {
		f.segment.records--
		f.segment.samples -= f.samples
		q.trimLocked()
	} else {
		f.held.acked = true
		for len(q.mu.memory) > 0 && q.mu.memory[0].acked {
			q.popLocked()
		}
	}
	q.mu.version++
	version, snapshot := q.mu.version, acks{low: q.mu.acks.low, done: slices.Clone(q.mu.acks.done)}
	q.mu.Unlock()

	q.acked.Lock()
	defer q.acked.Unlock()
	if q.acked.file != nil && version > q.acked.version {
		// Where it cannot be written, the record may be sent once more after a
		// restart: an acknowledgement may lag.
		if q.acked.file.write(&snapshot) == nil {
			q.acked.version = version
		}
	}
	return true
}

// Bounds are the number of the newest record, and the number up to which all are
// done with: acknowledged or dropped.
func (q *Queue) Bounds() (done, last uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	last = q.mu.next - 1
	for _, s := range q.mu.segments {
		if s.records > 0 {
			return q.mu.acks.low, last
		}
	}
	for _, h := range q.mu.memory {
		if !h.acked {
			return q.mu.acks.low, last
		}
	}
	return last, last
}

// Retry tries the directory again, if there is one that could not be used.
func (q *Queue) Retry() {
	if q.o.Dir == "" {
		return
	}
	q.write.Lock()
	defer q.write.Unlock()
	q.repair()
}

// Holds says whether a record that was read still has to be sent: it was neither
// acknowledged nor dropped.
func (q *Queue) Holds(seq uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, ok := q.mu.window[seq]
	return ok
}

// State is what the queue holds.
func (q *Queue) State() State {
	q.mu.Lock()
	defer q.mu.Unlock()
	state := State{
		MemoryBytes: q.mu.memoryBytes, Segments: len(q.mu.segments), Dropped: q.mu.dropped,
		Lost: q.mu.lost, Fault: q.mu.fault, Since: storage.MillisOf(q.mu.since),
	}
	for _, s := range q.mu.segments {
		state.DiskBytes += s.bytes
		state.Records += s.records
		state.Samples += s.samples
	}
	for _, h := range q.mu.memory {
		if !h.acked {
			state.Records++
			state.Samples += int64(h.Samples)
		}
	}
	return state
}
