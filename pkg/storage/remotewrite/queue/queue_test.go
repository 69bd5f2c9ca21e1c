// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// record is the record that number stands for: its body says which.
func record(number int) Record {
	r := Record{
		Epoch: uint64(number / 7), Lane: uint16(number % 5), Protocol: 2, Samples: uint32(number%3 + 1),
		Oldest: storage.Millis(number), Newest: storage.Millis(number + 1),
	}
	random := rand.New(rand.NewPCG(uint64(number), 1))
	r.Body = make([]byte, 8+random.IntN(600))
	for i := range r.Body {
		r.Body[i] = byte(random.Uint32())
	}
	r.Body[0], r.Body[1], r.Body[2] = byte(number), byte(number>>8), byte(number>>16)
	return r
}

func numberOf(r Record) int { return int(r.Body[0]) | int(r.Body[1])<<8 | int(r.Body[2])<<16 }

// checkRecord compares what was read with what was written.
func checkRecord(t *testing.T, got Record) {
	t.Helper()
	want := record(numberOf(got))
	want.Seq = got.Seq
	if !bytes.Equal(got.Body, want.Body) {
		t.Fatalf("the body of record %d is another one", numberOf(got))
	}
	got.Body, want.Body = nil, nil
	if got.Epoch != want.Epoch || got.Lane != want.Lane || got.Protocol != want.Protocol ||
		got.Samples != want.Samples || got.Oldest != want.Oldest || got.Newest != want.Newest {
		t.Fatalf("record %d is %+v", numberOf(want), got)
	}
}

// drain reads until there is nothing more.
func drain(t *testing.T, q *Queue) []Record {
	t.Helper()
	var all []Record
	for {
		r, ok, more := q.tryNext()
		if ok {
			checkRecord(t, r)
			all = append(all, r)
		} else if !more {
			return all
		}
	}
}

func numbers(all []Record) []int {
	var out []int
	for _, r := range all {
		out = append(out, numberOf(r))
	}
	return out
}

func upTo(from, to int) []int {
	var out []int
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

// crash forgets a queue as the end of its process would.
func crash(q *Queue) {
	if q.mu.lock != nil {
		q.mu.lock.release()
	}
}

// TestModel appends, reads, acknowledges and crashes at random, and compares with
// a list.
func TestModel(t *testing.T) {
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 0))
		o := Options{Dir: t.TempDir(), SegmentBytes: 4000}
		q := Open(o)
		var pending []int // In order, with what is in flight.
		var flying []Record
		next, read := 0, 0 // read: how many of pending were read.
		for step := range 1500 {
			switch r.IntN(20) {
			case 0:
				if r.IntN(10) == 0 {
					if r.IntN(2) == 0 {
						crash(q)
					} else if err := q.Close(); err != nil {
						t.Fatal(err)
					}
					q = Open(o)
					flying, read = nil, 0
				}
			case 1, 2, 3, 4, 5, 6, 7:
				q.Append(record(next))
				pending = append(pending, next)
				next++
			case 8, 9, 10, 11, 12, 13:
				got, ok, more := q.tryNext()
				for !ok && more {
					got, ok, more = q.tryNext()
				}
				if ok != (read < len(pending)) {
					t.Fatalf("seed %d step %d: read %v, with %d pending and %d read", seed, step, ok, len(pending), read)
				}
				if ok {
					checkRecord(t, got)
					if numberOf(got) != pending[read] {
						t.Fatalf("seed %d step %d: read %d, want %d", seed, step, numberOf(got), pending[read])
					}
					read++
					flying = append(flying, got)
				}
			default:
				if len(flying) == 0 {
					continue
				}
				i := r.IntN(len(flying))
				if !q.Ack(flying[i].Seq) || q.Ack(flying[i].Seq) || q.Holds(flying[i].Seq) {
					t.Fatalf("seed %d step %d: cannot acknowledge %d once", seed, step, flying[i].Seq)
				}
				pending = slices.DeleteFunc(pending, func(n int) bool { return n == numberOf(flying[i]) })
				flying = slices.Delete(flying, i, i+1)
				read--
			}
			var samples int64
			for _, n := range pending {
				samples += int64(n%3 + 1)
			}
			if state := q.State(); state.Records != int64(len(pending)) || state.Samples != samples || state.Fault != nil {
				t.Fatalf("seed %d step %d: %+v, want %d records of %d samples", seed, step, state, len(pending), samples)
			}
		}
		for _, f := range flying {
			q.Ack(f.Seq)
		}
		for _, f := range drain(t, q) {
			q.Ack(f.Seq)
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		if paths, _ := segmentPaths(o.Dir); len(paths) != 0 {
			t.Errorf("seed %d: %v are left", seed, paths)
		}
	}
}

// TestBoundOnDisk drops whole segments, the oldest first, and counts.
func TestBoundOnDisk(t *testing.T) {
	q := Open(Options{Dir: t.TempDir(), MaxBytes: 64 << 10, SegmentBytes: 8 << 10})
	var all int64
	for i := range 1000 {
		q.Append(record(i))
		all += int64(record(i).Samples)
	}
	state := q.State()
	if state.DiskBytes > 64<<10 || state.DiskBytes < 50<<10 {
		t.Errorf("%d bytes are on disk", state.DiskBytes)
	}
	if state.Dropped[Full]+state.Samples != all {
		t.Errorf("%d samples are there and %d dropped, of %d", state.Samples, state.Dropped[Full], all)
	}
	left := numbers(drain(t, q))
	if !slices.Equal(left, upTo(left[0], 1000)) {
		t.Errorf("left are %v", left)
	}
	// What is in flight while its segment is dropped has to be sent no more.
	seq := q.mu.lastRead
	for i := range 1000 {
		q.Append(record(1000 + i))
	}
	if q.Holds(seq) || q.Ack(seq) {
		t.Error("a record of a dropped segment is still there")
	}
	if got := numbers(drain(t, q)); got[len(got)-1] != 1999 {
		t.Errorf("the newest are not there: %v", got)
	}
}

// TestMemory is a queue without a directory.
func TestMemory(t *testing.T) {
	q := Open(Options{MaxMemory: 64 << 10})
	var all int64
	for i := range 1000 {
		q.Append(record(i))
		all += int64(record(i).Samples)
	}
	state := q.State()
	if state.MemoryBytes > 64<<10 || state.MemoryBytes < 60<<10 || state.Dropped[Full]+state.Samples != all || state.Fault != nil {
		t.Errorf("%+v, of %d samples", state, all)
	}
	got := drain(t, q)
	if n := numbers(got); !slices.Equal(n, upTo(n[0], 1000)) {
		t.Errorf("left are %v", n)
	}
	for _, r := range slices.Backward(got) {
		q.Ack(r.Seq)
	}
	if state := q.State(); state.MemoryBytes != 0 || state.Records != 0 {
		t.Errorf("%+v is left", state)
	}
}

// A smallDisk is one that has only so much room.
type smallDisk struct {
	dir  string
	room atomic.Int64
}

func newSmallDisk(t *testing.T, room int64) *smallDisk {
	t.Helper()
	d := &smallDisk{dir: t.TempDir()}
	d.room.Store(room)
	return d
}

// free is how much room there is.
func (d *smallDisk) free() int {
	paths, err := segmentPaths(d.dir)
	if err != nil {
		panic(err)
	}
	free := int(d.room.Load())
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			free -= int(info.Size())
		}
	}
	return max(free, 0)
}

func (d *smallDisk) create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	return smallFile{f, d}, err
}

// A smallFile is a file on a small disk.
type smallFile struct {
	*os.File
	disk *smallDisk
}

func (f smallFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b[:min(len(b), f.disk.free())])
	if err == nil && n < len(b) {
		err = syscall.ENOSPC
	}
	return n, err
}

// TestDiskFull goes on in memory when the disk is full, in order and without a
// loss, and returns to the disk within seconds of there being room.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newSmallDisk(t, 100_000)
		o := Options{Dir: disk.dir, SegmentBytes: 20_000, create: disk.create}
		q := Open(o)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- q.Run(ctx) }()
		for i := range 1000 {
			q.Append(record(i))
		}
		state := q.State()
		if !errors.Is(state.Fault, syscall.ENOSPC) || state.Records != 1000 || state.MemoryBytes == 0 || state.DiskBytes > 100_000 {
			t.Errorf("the disk is full: %+v", state)
		}
		// Some of it is in flight while it moves.
		var flying []Record
		for range 600 {
			r, err := q.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			checkRecord(t, r)
			flying = append(flying, r)
			if n := numberOf(r); n%2 == 0 {
				q.Ack(r.Seq)
			}
		}
		disk.room.Store(1 << 30)
		time.Sleep(3 * time.Second)
		if state := q.State(); state.Fault != nil || state.MemoryBytes != 0 || state.Records != 700 || state.Dropped != [Reasons]int64{} {
			t.Errorf("the disk has room again: %+v", state)
		}
		for i := range 10 {
			q.Append(record(1000 + i))
		}
		if got := append(numbers(flying), numbers(drain(t, q))...); !slices.Equal(got, upTo(0, 1010)) {
			t.Errorf("read %v", got)
		}
		for _, f := range flying {
			q.Ack(f.Seq)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		// All that was accepted and not acknowledged is on the disk.
		crash(q)
		q = Open(o)
		if got := numbers(drain(t, q)); !slices.Equal(got, upTo(600, 1010)) {
			t.Errorf("after a crash: %v", got)
		}
		q.Close()
	})
}

// TestDiskStaysFull drops the oldest, which is on the disk, when memory is full.
func TestDiskStaysFull(t *testing.T) {
	disk := newSmallDisk(t, 100_000)
	q := Open(Options{Dir: disk.dir, SegmentBytes: 20_000, MaxMemory: 30_000, create: disk.create})
	var all int64
	for i := range 2000 {
		q.Append(record(i))
		all += int64(record(i).Samples)
	}
	state := q.State()
	if state.Samples+state.Dropped[Full] != all || state.DiskBytes < 20_000 {
		t.Errorf("%+v, of %d samples", state, all)
	}
	got := numbers(drain(t, q))
	if got[len(got)-1] != 1999 || !slices.IsSorted(got) {
		t.Errorf("read %v", got)
	}
}

// TestUnusable begins without a directory that can be used, and takes it when it
// can.
func TestUnusable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "queue")
		old := Open(Options{Dir: dir})
		for i := range 3 {
			old.Append(record(i))
		}
		q := Open(Options{Dir: dir})
		if q.State().Fault == nil {
			t.Error("a directory is used twice")
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = q.Run(ctx) }()
		q.Append(record(3))
		first, err := q.Next(ctx)
		if err != nil || numberOf(first) != 3 {
			t.Fatalf("%v, %v", first, err)
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		q.Append(record(4))
		if got := numbers(drain(t, q)); !slices.Equal(got, []int{0, 1, 2, 4}) {
			t.Errorf("read %v", got)
		}
		if state := q.State(); state.Fault != nil || state.MemoryBytes != 0 || state.Records != 5 {
			t.Errorf("%+v", state)
		}
		q.Ack(first.Seq)
		cancel()
		synctest.Wait()
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		q = Open(Options{Dir: dir})
		if got := numbers(drain(t, q)); !slices.Equal(got, []int{0, 1, 2, 4}) {
			t.Errorf("read %v after a restart", got)
		}
		q.Close()
	})
}

// TestCorrupt flips every byte of a segment, one after the other. A record that is
// read is whole; what is not read is counted, or was behind a broken header.
func TestCorrupt(t *testing.T) {
	dir := t.TempDir()
	q := Open(Options{Dir: dir})
	for i := range 3 {
		r := record(i)
		r.Body = r.Body[:8]
		q.Append(r)
	}
	q.Close()
	paths, err := segmentPaths(dir)
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	good, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] ^= 0x10
		if err := os.WriteFile(paths[0], bad, 0o600); err != nil {
			t.Fatal(err)
		}
		q := Open(Options{Dir: dir})
		read := 0
		for {
			r, ok, more := q.tryNext()
			if ok {
				read++
				if n := numberOf(r); !bytes.Equal(r.Body, record(n).Body[:8]) {
					t.Fatalf("byte %d: record %d is %x", at, n, r.Body)
				}
			} else if !more {
				break
			}
		}
		state := q.State()
		if counted := state.Dropped[Corrupt] > 0 || state.Lost > 0; read == 3 || !counted {
			t.Errorf("byte %d: %d records read; %+v", at, read, state)
		}
		q.Close()
	}
}

// FuzzSegment opens a directory of bytes that nobody wrote.
func FuzzSegment(f *testing.F) {
	r := record(5)
	r.Seq = 7
	good := r.append([]byte(segmentMagic))
	f.Add(good, (&acks{low: 6, done: []uint64{8}}).append(nil, 1))
	f.Add(good[:len(good)-1], []byte{})
	f.Fuzz(func(t *testing.T, data, acked []byte) {
		dir := t.TempDir()
		if err := errors.Join(os.WriteFile(segmentPath(dir, 7), data, 0o600), os.WriteFile(filepath.Join(dir, "acked"), acked, 0o600)); err != nil {
			t.Fatal(err)
		}
		q := Open(Options{Dir: dir})
		before := q.State().Records
		read := int64(0)
		for {
			r, ok, more := q.tryNext()
			if ok {
				read++
				if !bytes.Contains(data, r.Body) {
					t.Fatal("read what was not there")
				}
			} else if !more {
				break
			}
		}
		if state := q.State(); read != state.Records || read > before {
			t.Fatalf("%d records read of %d; %+v", read, before, state)
		}
		q.Append(record(9))
		if got := drain(t, q); len(got) != 1 {
			t.Fatalf("%d records are read where one was appended", len(got))
		}
		q.Close()
	})
}

// BenchmarkAppend is a record of 2,000 samples, through the queue and back.
func BenchmarkAppend(b *testing.B) {
	q := Open(Options{Dir: b.TempDir()})
	defer q.Close()
	r := Record{Samples: 2000, Body: make([]byte, 50_000)}
	b.ReportAllocs()
	for b.Loop() {
		q.Append(r)
		got, err := q.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		q.Ack(got.Seq)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2000, "ns/sample")
}
