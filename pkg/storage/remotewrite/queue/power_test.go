// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A platter is what of segments is on the disk for good: as much as was synced.
type platter struct {
	mu      sync.Mutex
	durable map[string]int64 // by path
}

// create is Options.create.
func (p *platter) create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &platterFile{File: f, platter: p}, nil
}

type platterFile struct {
	*os.File
	platter *platter
}

// Sync takes note of what is on the disk from now on.
func (f *platterFile) Sync() error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	f.platter.mu.Lock()
	defer f.platter.mu.Unlock()
	f.platter.durable[f.Name()] = info.Size()
	return nil
}

// cut is a directory as it is when power is cut now: all that was not synced is gone.
func (p *platter) cut(t *testing.T) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	dir := t.TempDir()
	for path, size := range p.durable {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), text[:size], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestPower cuts the power at 30 moments. Every record that was accepted more than a
// second before is there.
func TestPower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &platter{durable: map[string]int64{}}
		q := Open(Options{Dir: t.TempDir(), SegmentBytes: 20_000, create: disk.create})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- q.Run(ctx) }()
		r := rand.New(rand.NewPCG(1, 1))
		var accepted []time.Time
		for moment := range 30 {
			for range 1 + r.IntN(60) {
				q.Append(record(len(accepted)))
				accepted = append(accepted, time.Now())
				time.Sleep(time.Duration(r.IntN(150)) * time.Millisecond)
			}
			synctest.Wait()
			after := Open(Options{Dir: disk.cut(t)})
			there := map[int]bool{}
			for _, one := range drain(t, after) {
				there[numberOf(one)] = true
			}
			if err := after.Close(); err != nil {
				t.Fatal(err)
			}
			for n, at := range accepted {
				if time.Since(at) > maintenance && !there[n] {
					t.Errorf("moment %d: record %d was accepted %v before, and is lost", moment, n, time.Since(at))
				}
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
}
