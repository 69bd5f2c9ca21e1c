// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// burnShare is the CPU time that a worker uses in one go at a low rate.
	burnShare = 5 * time.Millisecond
	// minTick and maxTick bound how often a worker looks whether it is behind:
	// often enough that a change of the rate is seen soon, and seldom enough
	// that looking does not use what a low rate allows.
	minTick = 10 * time.Millisecond
	maxTick = time.Second
	// burnDebt bounds what is made up for after the process was held up, so
	// that a throttled or stopped burner does not run wild afterwards.
	burnDebt = 200 * time.Millisecond
	// maxWorkers bounds the cores that are burned at once.
	maxWorkers = 64
)

// burner keeps the CPU time of this process, all of it, at a rate. It measures
// what the process has used rather than how long it has spun, so that the
// runtime's own work and a slow machine do not shift the result.
// Its methods may be called from any goroutine.
type burner struct {
	rate atomic.Int64  // millicores
	spun atomic.Uint64 // what the work came to, which keeps the compiler from dropping it
}

// newBurner returns a burner of the given rate, which Run puts on.
func newBurner(rate millicores) *burner {
	b := new(burner)
	b.rate.Store(int64(rate))
	return b
}

// SetRate changes the rate at the next tick.
func (b *burner) SetRate(rate millicores) { b.rate.Store(int64(rate)) }

// Run burns CPU until ctx is done. It starts a worker for every core that the
// rate was ever above; workers that a lower rate does not need sleep.
func (b *burner) Run(ctx context.Context) error {
	used, err := processCPU()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	var due atomic.Int64 // CPU time in nanoseconds that the process should have used by now
	due.Store(int64(used))
	workers := int64(0)
	last := time.Now()
	group.Go(func() error {
		for ctx.Err() == nil {
			used, err := processCPU()
			if err != nil {
				return err
			}
			rate, now := b.rate.Load(), time.Now()
			due.Store(nextDue(due.Load(), int64(used), now.Sub(last), rate))
			last = now
			for ; workers < min((rate+999)/1000, maxWorkers); workers++ {
				group.Go(func() error { return b.work(ctx, &due) })
			}
			if err := sleep(ctx, tickFor(rate)); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	return group.Wait()
}

// tickFor is how long to sleep when nothing is due at the rate in millicores.
func tickFor(rate int64) time.Duration {
	if rate == 0 {
		return maxTick
	}
	return min(max(burnShare*1000/time.Duration(rate), minTick), maxTick)
}

// nextDue moves the CPU time that is due forward by the elapsed time at the
// rate in millicores. A process that has used more than was due (it was just
// told to use less) starts even; one that was held up owes at most burnDebt.
func nextDue(due, used int64, elapsed time.Duration, rate int64) int64 {
	next := max(due, used-int64(burnShare)) + int64(elapsed)*rate/1000
	return min(next, used+int64(burnDebt)*max(rate, 1000)/1000)
}

// work spins while the process is behind what is due and sleeps otherwise.
func (b *burner) work(ctx context.Context, due *atomic.Int64) error {
	sum := uint64(1)
	for ctx.Err() == nil {
		used, err := processCPU()
		if err != nil {
			return err
		}
		if int64(used) >= due.Load() {
			if err := sleep(ctx, tickFor(b.rate.Load())); err != nil {
				return err
			}
			continue
		}
		for range 50_000 { // some 50 microseconds, so that asking is not most of the work
			sum = sum*6364136223846793005 + 1442695040888963407
		}
	}
	b.spun.Store(sum)
	return ctx.Err()
}

// processCPU is the user and system time that this process has used.
func processCPU() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("read the process's CPU time: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
