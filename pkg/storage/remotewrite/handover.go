// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package remotewrite

import (
	"math"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// A Mark is how far a sink has come, for the replica that ships after it, which reads
// it as JSON.
type Mark struct {
	// Queue names its queue.
	Queue string `json:"queue"`
	// Delivered is the time, by its clock, before which it was given nothing that
	// it has not delivered, or counted as dropped.
	Delivered storage.Millis `json:"delivered"`
	// Newest is that of the newest sample that it has delivered.
	Newest storage.Millis `json:"newest"`
	// Whole: it has ended, and nothing is left to be delivered.
	Whole bool `json:"whole,omitempty"`
}

// A Handover is what a replica knows of the one that shipped before it. That is one
// whose queue is another one: where it is ours, we go on.
type Handover struct {
	// Mark is what that one said last; its zero value is that nobody has shipped.
	Mark Mark
	// Fence is when it has stopped at the latest, by our clock; 0 where it said
	// itself that it has ended.
	Fence storage.Millis
	// Lease is how long it may have been without a word before that was noticed.
	Lease time.Duration
	// Cut says, where it ended with nothing left, up to which answer of a node's
	// source it has delivered: those sent at that time or before, by our clock.
	// nil is not known.
	Cut func(node string, source series.Source) storage.Millis
}

// always is after all times.
const always = math.MaxInt64

// all is the cut before all that was kept.
func all(*receiver) storage.Millis { return math.MinInt64 }

// cut says what of the standby's memory is not to be shipped: what was sent at
// the returned time or before. killed says that what the replica before us has
// delivered in its last moments is not known.
func (h *Handover) cut(now storage.Millis, deadline time.Duration, outOfOrder bool) (cut func(*receiver) storage.Millis, most storage.Millis, killed bool) {
	at := func(t storage.Millis) func(*receiver) storage.Millis {
		return func(*receiver) storage.Millis { return t }
	}
	m := &h.Mark
	if h.Fence != 0 {
		most = m.Delivered
		if !outOfOrder {
			// What it sent after its mark cannot be older than what we send. But if
			// nothing was delivered for long before that, nothing was then.
			bound := storage.MillisIn(h.Lease) + storage.MillisIn(deadline)
			most = max(most, min(h.Fence, m.Newest+bound))
		}
		most = min(most, now)
		return at(most), most, true
	}
	most = min(max(m.Delivered, m.Newest), now)
	if outOfOrder {
		most = min(m.Delivered, now)
	}
	if m.Whole && h.Cut != nil {
		return func(r *receiver) storage.Millis { return h.Cut(r.node, r.source) }, most, false
	}
	return at(most), most, false
}

// Pause stops shipping, because another replica ships: what comes is kept for
// Options.Standby. What waits in the queue is sent on where the receiver takes
// samples in any order, and is judged by the next Lead otherwise.
func (s *Sink) Pause() {
	s.intake.pause()
	if s.o.OutOfOrder {
		s.sender.Open()
	} else {
		s.sender.Shut()
	}
}

// Hold has the sink accept what comes, with what it kept, and send nothing: it is not
// known who ships, or not this sink's turn yet.
func (s *Sink) Hold() {
	s.sender.Shut()
	s.intake.resume(&resumption{cut: all})
}

// Lead has the sink ship from now on. What it kept is shipped as far as the replica
// before it has not delivered it, or may have: see Handover. What waits in the queue
// and is older than what that one has delivered is dropped, unless the receiver
// takes samples in any order.
func (s *Sink) Lead(h *Handover) {
	s.queue.Retry()
	defer s.sender.Open()
	if h.Mark.Queue == "" || s.queue.Is(h.Mark.Queue) {
		// Nobody has shipped, or nobody since us.
		s.progress.raise(&h.Mark)
		s.intake.resume(&resumption{cut: all})
		return
	}
	now := storage.MillisOf(time.Now())
	cut, most, killed := h.cut(now, s.o.Deadline, s.o.OutOfOrder)
	if !s.o.OutOfOrder {
		_, last := s.queue.Bounds()
		s.sender.Supersede(last, h.Mark.Newest)
	}
	s.progress.inherit(&h.Mark)
	r := resumption{cut: cut, delivered: h.Mark.Delivered, fence: h.Fence}
	if h.Mark.Whole && !killed {
		r.delivered = always
	}
	s.intake.resume(&r)
	s.skipped.Add(r.skipped)
	s.overlap.Add(r.overlapped)
	if killed {
		s.killed.Add(1)
		s.o.Log.Error("remote-write goes on where another replica was killed", "url", s.o.Sender.Shown,
			"delivered", h.Mark.Delivered.Time(), "from", most.Time(), "skippedSamples", r.skipped, "overlappingSamples", r.overlapped)
		return
	}
	s.handovers.Add(1)
	s.o.Log.Info("remote-write goes on where another replica has ended", "url", s.o.Sender.Shown,
		"delivered", h.Mark.Delivered.Time(), "whole", h.Mark.Whole, "skippedSamples", r.skipped)
}

// Mark is how far the sink has come. It means something for a sink that leads, or
// has led and was not paused since.
func (s *Sink) Mark() Mark {
	done, _ := s.queue.Bounds()
	m := Mark{Queue: s.queue.ID(), Delivered: s.progress.delivered(done), Newest: s.sender.State().Newest}
	m.Newest = max(m.Newest, s.progress.inheritedNewest())
	state := s.State()
	m.Whole = s.ended.Load() && state.Pending == 0 && state.Queue.Records == 0
	return m
}

// Answers calls yield with when the newest answer of each source of a node was sent
// whose samples were accepted.
func (s *Sink) Answers(yield func(node string, source series.Source, sent storage.Millis)) {
	s.receivers.Lock()
	defer s.receivers.Unlock()
	for r := range s.receivers.all {
		if sent := storage.Millis(r.accepted.Load()); sent != 0 {
			yield(r.node, r.source, sent)
		}
	}
}
