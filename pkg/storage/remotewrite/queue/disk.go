// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// attach opens the directory and takes in what it holds. The caller holds write.
func (q *Queue) attach() error {
	if err := os.MkdirAll(q.o.Dir, 0o700); err != nil {
		return err
	}
	lock, err := lockDir(filepath.Join(q.o.Dir, "lock"))
	if err != nil {
		return err
	}
	file, acked, err := openAcks(filepath.Join(q.o.Dir, "acked"))
	if err != nil {
		lock.release()
		return err
	}
	id, err := openID(q.o.Dir)
	if err != nil {
		file.file.Close()
		lock.release()
		return err
	}
	segments, lost, highest, err := openSegments(q.o.Dir, &acked)
	if err != nil {
		file.file.Close()
		lock.release()
		return err
	}
	highest = max(highest, acked.highest())

	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.mu.memory) > 0 && highest >= q.mu.memory[0].Seq {
		file.file.Close()
		lock.release()
		return errors.New("the directory was away and has come back with records of later; it is used after a restart")
	}
	q.mu.lock, q.mu.segments, q.mu.lost = lock, segments, lost
	q.mu.before, q.mu.id = q.mu.id, id
	q.mu.acks, q.mu.lastRead = acked, acked.low
	q.mu.next = max(q.mu.next, highest+1)
	q.acked.Lock()
	q.acked.file = file
	q.acked.Unlock()
	return nil
}

// openSegments takes in all segments of a directory. Those of which nothing is
// left to be sent are deleted.
func openSegments(dir string, acked *acks) (segments []*segment, lost int64, highest uint64, err error) {
	paths, err := segmentPaths(dir)
	if err != nil {
		return nil, 0, 0, err
	}
	for _, path := range paths {
		s, err := openSegment(path, acked.has)
		if err != nil {
			return nil, 0, 0, err
		}
		lost += s.bytes - s.size
		highest = max(highest, s.last)
		if s.records > 0 {
			segments = append(segments, s)
		} else if err := os.Remove(path); err != nil {
			return nil, 0, 0, err
		}
	}
	return segments, lost, highest, nil
}

// writeRecord writes a record to the current segment. The caller holds write.
func (q *Queue) writeRecord(r *Record) error {
	if s := q.write.segment; s != nil && s.last != 0 && s.size+r.size() > q.o.SegmentBytes {
		q.seal()
	}
	if q.write.segment == nil {
		if err := q.begin(r.Seq); err != nil {
			return err
		}
	}
	s := q.write.segment
	q.write.buf = r.append(q.write.buf[:0])
	if n, err := q.write.file.Write(q.write.buf); err != nil {
		if n > 0 && q.write.file.Truncate(s.size) != nil {
			// Reading stops at what is half written, so nothing may follow it.
			q.seal()
		}
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	s.size += r.size()
	s.bytes = s.size
	s.last = r.Seq
	s.records++
	s.samples += int64(r.Samples)
	q.mu.dirty = true
	for q.diskBytesLocked() > q.o.MaxBytes && q.dropSegmentLocked() {
	}
	return nil
}

// begin begins a segment. The caller holds write.
func (q *Queue) begin(first uint64) error {
	path := segmentPath(q.o.Dir, first)
	f, err := q.o.create(path)
	if err != nil {
		return err
	}
	if _, err := f.Write([]byte(segmentMagic)); err != nil {
		f.Close()
		os.Remove(path)
		return err
	}
	s := &segment{path: path, first: first, size: int64(len(segmentMagic)), bytes: int64(len(segmentMagic))}
	q.write.segment, q.write.file = s, f
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.segments = append(q.mu.segments, s)
	q.mu.newFiles = true
	return nil
}

// seal ends the current segment. The caller holds write.
func (q *Queue) seal() {
	if q.write.segment == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.write.segment.sealed = true
	q.mu.unsynced = append(q.mu.unsynced, q.write.file)
	q.write.segment, q.write.file = nil, nil
	q.trimLocked()
}

func (q *Queue) diskBytesLocked() int64 {
	var n int64
	for _, s := range q.mu.segments {
		n += s.bytes
	}
	return n
}

// dropSegmentLocked drops the oldest segment, unless it is the one that is being
// written.
func (q *Queue) dropSegmentLocked() bool {
	if len(q.mu.segments) == 0 || !q.mu.segments[0].sealed {
		return false
	}
	s := q.mu.segments[0]
	// The reader may have it open, and would keep its room taken.
	_ = os.Truncate(s.path, 0)
	if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		// A directory that cannot be written has nothing to give.
		return false
	}
	q.mu.segments = slices.Delete(q.mu.segments, 0, 1)
	q.mu.dropped[Full] += s.samples
	for seq, f := range q.mu.window {
		if f.segment == s {
			delete(q.mu.window, seq)
		}
	}
	return true
}

// makeRoom drops the oldest segment, also where it is the only one. The caller
// holds write.
func (q *Queue) makeRoom() bool {
	q.mu.Lock()
	only := len(q.mu.segments) == 1
	q.mu.Unlock()
	if only {
		q.seal()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropSegmentLocked()
}

// trimLocked deletes the segments of which nothing is left.
func (q *Queue) trimLocked() {
	q.mu.segments = slices.DeleteFunc(q.mu.segments, func(s *segment) bool {
		if !s.sealed || s.records > 0 {
			return false
		}
		// What cannot be deleted now is deleted at the next start.
		_ = os.Remove(s.path)
		return true
	})
}

// fail takes note that the disk cannot be written.
func (q *Queue) fail(err error) {
	q.mu.Lock()
	first := q.mu.fault == nil
	if first {
		q.mu.since = time.Now()
	}
	q.mu.fault = err
	q.mu.Unlock()
	if first {
		q.o.Log.Error("remote-write queue cannot be written; what is not delivered is kept in memory", "dir", q.o.Dir, "error", err)
	}
}

// repair tries whether the disk can be written, and moves what is in memory there.
// The caller holds write.
func (q *Queue) repair() {
	q.mu.Lock()
	fault, attached := q.mu.fault, q.mu.lock != nil
	memory := slices.Clone(q.mu.memory)
	next := q.mu.next
	q.mu.Unlock()
	if fault == nil {
		return
	}
	if !attached {
		if err := q.attach(); err != nil {
			q.fail(err)
			return
		}
	}
	if len(memory) == 0 && q.write.segment == nil {
		if err := q.begin(next); err != nil {
			q.fail(err)
			return
		}
	}
	for _, h := range memory {
		if err := q.moveToDisk(h); err != nil {
			q.fail(err)
			return
		}
	}
	q.mu.Lock()
	q.mu.fault, q.mu.since = nil, time.Time{}
	q.mu.Unlock()
	q.signal()
	q.o.Log.Info("remote-write queue can be written again", "dir", q.o.Dir)
}

// moveToDisk moves the oldest record in memory.
func (q *Queue) moveToDisk(h *held) error {
	q.mu.Lock()
	acked := h.acked
	q.mu.Unlock()
	if !acked {
		if err := q.writeRecord(&h.Record); err != nil {
			return err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !acked && h.acked {
		// While it was written.
		q.write.segment.records--
		q.write.segment.samples -= int64(h.Samples)
	}
	if f, ok := q.mu.window[h.Seq]; ok {
		f.segment, f.held = q.write.segment, nil
		q.mu.window[h.Seq] = f
	}
	if len(q.mu.memory) > 0 && q.mu.memory[0] == h {
		q.popLocked()
	}
	return nil
}

// isNoSpace says whether there would be no fault if there were more room.
func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Run syncs what is written and tries the disk again where it failed, every
// second, until the context ends.
func (q *Queue) Run(ctx context.Context) error {
	if q.o.Dir == "" {
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(maintenance)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			q.write.Lock()
			q.repair()
			q.write.Unlock()
			if err := q.sync(); err != nil {
				q.fail(fmt.Errorf("sync: %w", err))
			}
			q.signal()
		}
	}
}

// sync has the disk take what was written.
func (q *Queue) sync() error {
	q.write.Lock()
	current := q.write.file
	q.mu.Lock()
	files, dirty, newFiles := q.mu.unsynced, q.mu.dirty, q.mu.newFiles
	q.mu.unsynced, q.mu.dirty, q.mu.newFiles = nil, false, false
	q.mu.Unlock()
	if dirty && current != nil {
		files = append(files, current)
	}
	// Only this closes files, so that they are still open when write is not held.
	q.write.Unlock()
	var failed error
	for _, f := range files {
		failed = errors.Join(failed, f.Sync())
		if f != current {
			failed = errors.Join(failed, f.Close())
		}
	}
	if newFiles {
		failed = errors.Join(failed, syncDir(q.o.Dir))
	}
	return failed
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Close syncs and closes all files. Nothing may be called any more, but State.
func (q *Queue) Close() error {
	q.write.Lock()
	defer q.write.Unlock()
	q.seal()
	q.mu.Lock()
	files, lock := q.mu.unsynced, q.mu.lock
	q.mu.unsynced, q.mu.lock = nil, nil
	q.mu.Unlock()
	q.cursor.close()
	var failed error
	for _, f := range files {
		failed = errors.Join(failed, f.Sync(), f.Close())
	}
	q.acked.Lock()
	defer q.acked.Unlock()
	if q.acked.file != nil {
		failed = errors.Join(failed, q.acked.file.file.Sync(), q.acked.file.file.Close())
		q.acked.file = nil
	}
	if lock != nil {
		lock.release()
	}
	return failed
}
