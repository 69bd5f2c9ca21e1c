// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// diskSize is the size of the file systems of these tests, as mount takes it.
const diskSize = "size=256k"

// mountDisk mounts a file system of 256 KiB that ends with the test.
func mountDisk(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting a file system needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, diskSize); err != nil {
		t.Skipf("no file system may be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestFullFileSystem fills a real file system. The queue goes on in memory, drops
// the oldest beyond its bound, and is back on the disk when there is room.
func TestFullFileSystem(t *testing.T) {
	disk := mountDisk(t)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 128<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	q := Open(Options{Dir: filepath.Join(disk, "queue"), MaxMemory: 40_000, SegmentBytes: 30_000})
	defer q.Close()
	appended, samples := 0, int64(0)
	add := func() {
		r := record(appended)
		q.Append(r)
		samples += int64(r.Samples)
		appended++
	}
	for q.State().Fault == nil && appended < 10_000 {
		add()
	}
	if state := q.State(); !errors.Is(state.Fault, syscall.ENOSPC) || state.Dropped[Full] != 0 {
		t.Fatalf("the disk is full: %+v", state)
	}
	for q.State().Dropped[Full] == 0 && appended < 10_000 {
		add()
	}
	q.Retry()
	state := q.State()
	if state.Dropped[Full] == 0 || state.MemoryBytes > 40_000 || state.DiskBytes > 128<<10 {
		t.Fatalf("the disk is full, and memory, too: %+v", state)
	}
	if state.Samples+state.Dropped[Full] != samples {
		t.Errorf("%d samples were accepted, and there are %d and %d dropped", samples, state.Samples, state.Dropped[Full])
	}
	// Room that something else takes again at once is used while it is there.
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		add()
	}
	q.Retry()
	if state := q.State(); state.Fault != nil || state.MemoryBytes != 0 {
		t.Errorf("there is room: %+v", state)
	}
	all := numbers(drain(t, q))
	if len(all) == 0 || !slices.Equal(all, upTo(all[0], appended)) || all[0] == 0 {
		t.Errorf("what is left is %v, not the newest of %d", all, appended)
	}
	left := int64(0)
	for _, n := range all {
		left += int64(record(n).Samples)
	}
	if dropped := q.State().Dropped[Full]; left+dropped != samples {
		t.Errorf("%d samples were accepted, and %d left and %d dropped", samples, left, dropped)
	}
}

// TestReadOnlyFileSystem opens a queue on a real file system that cannot be written,
// and has it become writable.
func TestReadOnlyFileSystem(t *testing.T) {
	disk := mountDisk(t)
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|flags, diskSize); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(disk, "queue")
	q := Open(Options{Dir: dir})
	for n := range 3 {
		q.Append(record(n))
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	remount(syscall.MS_RDONLY)
	q = Open(Options{Dir: dir})
	defer q.Close()
	for n := 3; n < 6; n++ {
		q.Append(record(n))
	}
	q.Retry()
	if state := q.State(); !errors.Is(state.Fault, syscall.EROFS) || state.Records != 3 {
		t.Errorf("the disk is read-only: %+v", state)
	}
	r, ok, _ := q.tryNext()
	if !ok || numberOf(r) != 3 || !q.Ack(r.Seq) {
		t.Errorf("the disk is read-only, and %v is next", r)
	}
	remount(0)
	q.Retry()
	if state := q.State(); state.Fault != nil || state.MemoryBytes != 0 {
		t.Errorf("the disk can be written: %+v", state)
	}
	if got := numbers(drain(t, q)); !slices.Equal(got, []int{0, 1, 2, 4, 5}) {
		t.Errorf("read %v", got)
	}
}
