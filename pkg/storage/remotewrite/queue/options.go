// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Options are what a queue is told.
type Options struct {
	// Dir is the directory of this queue alone; it is made where it is missing.
	// Empty: the queue is in memory only.
	Dir string
	// MaxBytes is how much may be on disk, in bytes; 0 is 1 GiB.
	MaxBytes int64
	// MaxMemory is how much may be in memory, in bytes; 0 is 32 MiB.
	MaxMemory int64
	// SegmentBytes is when a new segment is begun; 0 is an eighth of MaxBytes, 16
	// MiB at most. The oldest segment is what is dropped at once.
	SegmentBytes int64
	// Log is told when the disk fails and when it works again.
	Log *slog.Logger

	// create opens a new file; tests let it fail.
	create func(path string) (file, error)
}

// maintenance is how often what was written is synced, and a disk that failed is
// tried again.
const maintenance = time.Second

// file is what is done with a file that is written.
type file interface {
	Write(b []byte) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

func (o Options) withDefaults() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.MaxMemory == 0 {
		o.MaxMemory = 32 << 20
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = min(16<<20, o.MaxBytes/8)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.create == nil {
		o.create = func(path string) (file, error) {
			return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
		}
	}
	return o
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	switch {
	case o.MaxBytes < 0 || o.MaxMemory < 0 || o.SegmentBytes < 0:
		return errors.New("a queue's size is negative")
	case o.MaxBytes > 0 && o.MaxBytes < 1<<20:
		return fmt.Errorf("a queue of %d bytes on disk is too small: at least 1 MiB", o.MaxBytes)
	}
	return nil
}

// A Reason is why records were dropped.
type Reason uint8

// The reasons.
const (
	// Full: there was no room, and these were the oldest.
	Full Reason = iota
	// Corrupt: what is on disk is not what was written.
	Corrupt
	// Reasons is how many there are.
	Reasons
)

// State is what a queue holds.
type State struct {
	// Records and Samples are what is not yet acknowledged.
	Records, Samples int64
	// DiskBytes and MemoryBytes are what the queue takes, with what is
	// acknowledged and not yet deleted.
	DiskBytes, MemoryBytes int64
	// Segments is how many files there are.
	Segments int
	// Dropped is the samples dropped since the start.
	Dropped [Reasons]int64
	// Lost is the bytes at the ends of segments that could not be read at the
	// start. What was cut short by a crash was never accepted.
	Lost int64
	// Fault is why the disk is not written at the moment; nil where it is, and in
	// a queue without a directory.
	Fault error
	// Since is when Fault began.
	Since storage.Millis
}
