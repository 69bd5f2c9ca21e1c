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
	// Delivered is a time, by its clock: the sink is done with the answers that
	// were asked for until then, which is that it has delivered them, or counted
	// them as dropped. But not with one that took longer than others which were
	// asked for after it: see Handover.known.
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
	// Resolution is the time between two answers of a node. An answer comes within
	// it, and the clocks of replicas agree to within half of it.
	Resolution time.Duration
	// Cut says, where it ended with nothing left, up to which answer of a node's
	// source it has delivered: those sent at that time or before, by our clock. It
	// is false where it had no answer of it. nil is that nothing of that is known.
	Cut func(node string, source series.Source) (storage.Millis, bool)
}

// always is after all times, and never before them.
const (
	always = math.MaxInt64
	never  = math.MinInt64
)

// all is that nothing of what was kept is left out.
func all(*receiver) (cut, known storage.Millis) { return never, never }

// whole says that it ended with nothing left.
func (h *Handover) whole() bool { return h.Mark.Whole && h.Fence == 0 }

// known is when an answer was sent at the latest, by our clock, of which it is
// certain that it was delivered. That is not what the mark says: what was asked for
// before may have come later, which takes less than a resolution, and what the other
// one asks for at one moment we ask for at another, at most half of one away.
func (h *Handover) known() storage.Millis {
	return h.Mark.Delivered - storage.MillisIn(h.Resolution) - storage.MillisIn(h.Resolution/2)
}

// resumption says what of the standby's memory is shipped, where a receiver takes
// samples in any order and where it does not.
func (h *Handover) resumption(now storage.Millis, deadline time.Duration, outOfOrder bool) *resumption {
	m, known := &h.Mark, h.known()
	r := &resumption{fence: h.Fence}
	switch {
	case outOfOrder:
		// Nothing is left out that may not have been delivered. What the other one
		// was told last we may have been told an answer earlier, and something newer
		// in the next one. So that answer is sent, too.
		r.most = known - storage.MillisIn(h.Resolution)
		if h.Fence == 0 {
			r.fence = now // Its queue has the rest.
		}
	case h.Fence != 0:
		// What it sent after its mark cannot be older than what we send. But if
		// nothing was delivered for long before that, nothing was then.
		bound := storage.MillisIn(h.Lease) + storage.MillisIn(deadline)
		r.most = max(m.Delivered, min(h.Fence, m.Newest+bound))
	default:
		r.most = max(m.Delivered, m.Newest)
	}
	r.most = min(r.most, now)
	if !h.whole() && m.Delivered != 0 {
		r.needed = known
	}
	r.limits = func(one *receiver) (storage.Millis, storage.Millis) {
		if h.whole() && h.Cut != nil {
			if cut, ok := h.Cut(one.node, one.source); ok {
				return cut, always // And of the rest it has delivered nothing.
			}
		}
		return r.most, known
	}
	return r
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
	s.intake.resume(&resumption{limits: all})
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
		s.intake.resume(&resumption{limits: all})
		return
	}
	r := h.resumption(storage.MillisOf(time.Now()), s.o.Deadline, s.o.OutOfOrder)
	if !s.o.OutOfOrder {
		_, last := s.queue.Bounds()
		s.sender.Supersede(last, h.Mark.Newest)
	}
	s.progress.inherit(&h.Mark)
	s.intake.resume(r)
	s.skipped.Add(r.skipped)
	s.overlap.Add(r.overlapped)
	s.gap.Add(int64(r.gap))
	about := []any{
		"url", s.o.Sender.Shown, "delivered", h.Mark.Delivered.Time(), "whole", h.whole(), "from", r.most.Time(),
		"skippedSamples", r.skipped, "overlappingSamples", r.overlapped, "gap", r.gap.Duration(),
	}
	if h.Fence != 0 {
		s.killed.Add(1)
		s.o.Log.Error("remote-write goes on where another replica was killed", about...)
		return
	}
	s.handovers.Add(1)
	s.o.Log.Info("remote-write goes on where another replica has ended", about...)
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
