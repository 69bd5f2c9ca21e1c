// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package remotewrite

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/queue"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/sender"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// A Sink ships samples to one receiver. It is a series.Consumer.
type Sink struct {
	o       Options
	table   *table
	intake  *intake
	queue   *queue.Queue
	sender  *sender.Sender
	batcher *batcher
	unsaved atomic.Int64

	receivers receivers
	progress  progress
	ended     atomic.Bool

	handovers, killed, skipped, overlap, gap atomic.Int64
}

// New is a sink with what its queue holds from before. It ships nothing until Run
// is called, and Run must be called.
func New(o Options) (*Sink, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	now := time.Now()
	s := &Sink{o: o, table: newTable(), queue: queue.Open(o.Queue), receivers: receivers{all: map[*receiver]struct{}{}}}
	s.intake = newIntake(&s.o)
	s.sender = sender.New(s.queue, uint64(now.UnixNano()), o.Sender)
	s.batcher = newBatcher(&s.o, s.table, s.queue, s.sender.Protocol, now)
	return s, nil
}

// Sources is series.Consumer's.
func (s *Sink) Sources() series.SourceSet { return s.o.Sources }

// Receiver is series.Consumer's.
func (s *Sink) Receiver(node string, source series.Source) series.Receiver {
	r := &receiver{sink: s, node: node, source: source}
	if s.o.Target != nil {
		r.target = s.o.Target(node, source).Clone()
		if source == series.Summary {
			r.claims = claimTarget(r.target)
		}
	}
	s.receivers.add(r)
	if source == series.Rules {
		return r // Nobody was asked for them.
	}
	r.up = s.open(r, series.Labels{{Name: series.NameLabel, Value: "up"}},
		&series.Metadata{Family: "up", Type: series.Gauge, Help: "Whether the last scrape succeeded."})
	r.duration = s.open(r, series.Labels{{Name: series.NameLabel, Value: "scrape_duration_seconds"}},
		&series.Metadata{Family: "scrape_duration_seconds", Type: series.Gauge, Help: "How long the last scrape took.", Unit: "seconds"})
	return r
}

// open opens a series of a receiver.
func (s *Sink) open(r *receiver, scraped series.Labels, meta *series.Metadata) series.Handle {
	labels := scraped.AppendTarget(nil, r.targetOf(scraped)).AppendTarget(nil, s.o.External)
	if s.o.Relabel != nil {
		var keep bool
		if labels, keep = s.o.Relabel(labels); !keep {
			return 0
		}
	}
	if meta == nil {
		meta = &series.Metadata{}
	}
	var runKey string
	start := scraped.Get(series.NameLabel) == startFamily
	if start || meta.Type == series.Counter {
		runKey = r.runOf(scraped)
	}
	return series.Handle(s.table.add(labels, meta, runKey, start))
}

// runOf names the container run that a series belongs to; empty where it is no
// container's.
func (r *receiver) runOf(scraped series.Labels) string {
	id := scraped.Get("id")
	container := scraped.Get("container")
	if id == "" && container == "" {
		return ""
	}
	if id == "" {
		id = scraped.Get("namespace") + "\x00" + scraped.Get("pod") + "\x00" + container
	}
	return strings.Join([]string{r.node, r.source.String(), id}, "\x00")
}

// Run ships until the context ends, and then for as long as Options.Flush what is
// left. What is on disk is shipped after the next start.
func (s *Sink) Run(ctx context.Context) error {
	if s.o.Queue.Dir == "" {
		s.o.Log.Info("remote-write queue is in memory: what is not delivered ends with the process", "bytes", s.queue.State().MemoryBytes)
	}
	// What is left is written and sent after ctx has ended.
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var done sync.WaitGroup
	done.Go(func() { _ = s.queue.Run(inner) })
	done.Go(func() { _ = s.sender.Run(inner) })
	s.batch(ctx)

	s.intake.close()
	for b := s.intake.take(); b != nil; b = s.intake.take() {
		s.batcher.process(b, time.Now())
		s.intake.done(b)
	}
	s.batcher.flush(time.Now())
	s.note()
	s.drain()
	cancel()
	done.Wait()
	s.ended.Store(true)
	if err := s.queue.Close(); err != nil {
		s.o.Log.Error("remote-write queue cannot be closed", "error", err)
	}
	state := s.queue.State()
	if state.Samples > 0 && (s.o.Queue.Dir == "" || state.Fault != nil) {
		s.unsaved.Store(state.Samples)
	}
	if state.Samples > 0 {
		s.o.Log.Info("remote-write ends before all is delivered", "samples", state.Samples, "bytes", state.DiskBytes, "lost", s.unsaved.Load())
	}
	return nil
}

// batch makes bodies until the context ends.
func (s *Sink) batch(ctx context.Context) {
	timer := time.NewTimer(s.o.Deadline)
	defer timer.Stop()
	swept := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.intake.wake:
		case <-timer.C:
		}
		for ctx.Err() == nil {
			b := s.intake.take()
			if b == nil {
				break
			}
			s.batcher.process(b, time.Now())
			s.intake.done(b)
		}
		now := time.Now()
		s.batcher.flush(now.Add(-s.o.Deadline))
		s.note()
		s.batcher.describe(now)
		if now.Sub(swept) > time.Minute {
			s.table.sweep(storage.MillisOf(now))
			swept = now
		}
		next := s.o.Deadline
		if at, ok := s.batcher.deadline(); ok {
			next = at.Sub(now)
		}
		timer.Reset(max(next, time.Millisecond))
	}
}

// note takes down how far the queue is.
func (s *Sink) note() {
	_, last := s.queue.Bounds()
	s.progress.note(last, s.batcher.reached())
}

// drain waits until all is delivered, or the time for it is over. Nothing is
// waited for where nothing may be sent.
func (s *Sink) drain() {
	deadline := time.NewTimer(s.o.Flush)
	defer deadline.Stop()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for s.sender.IsOpen() && s.queue.State().Records > 0 {
		select {
		case <-deadline.C:
			return
		case <-ticker.C:
		}
	}
}

// State is how the sink is doing.
func (s *Sink) State() State {
	state := State{
		Name: s.o.Name, URL: cmp.Or(s.o.Sender.Shown, s.o.Sender.URL), Queue: s.queue.State(), Sender: s.sender.State(),
		Lanes: int(s.batcher.laneCount.Load()),
		Taken: s.batcher.taken.Load(), Repeated: s.batcher.repeated.Load(), OutOfOrder: s.batcher.outOfOrder.Load(),
		Accepted: s.batcher.accepted.Load(), Unsaved: s.unsaved.Load(),
	}
	state.Handovers, state.Killed = s.handovers.Load(), s.killed.Load()
	state.Skipped, state.Overlap, state.Gap = s.skipped.Load(), s.overlap.Load(), storage.Millis(s.gap.Load()).Duration()
	s.intake.mu.Lock()
	state.Paused, state.Overrun = s.intake.mu.paused, s.intake.mu.overrun
	state.Pending = s.batcher.pending.Load() + int64(s.intake.mu.samples)
	if state.Held = !state.Paused && !s.sender.IsOpen(); state.Paused && len(s.intake.mu.blocks) > 0 {
		state.StandbySince, state.StandbyBytes = s.intake.mu.blocks[0].received, s.intake.mu.bytes
		// They are not to be delivered by us.
		state.Pending = s.batcher.pending.Load()
	}
	s.intake.mu.Unlock()
	s.table.mu.Lock()
	state.Series, state.Symbols = s.table.open, s.table.symbols.Len()
	s.table.mu.Unlock()
	return state
}
