// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/message"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/queue"
)

// Queue is where bodies come from.
type Queue interface {
	// Next is the next body, when there is one; its error is the context's.
	Next(ctx context.Context) (queue.Record, error)
	// Ack says that a body is done with.
	Ack(seq uint64) bool
	// Holds says whether a body still has to be posted.
	Holds(seq uint64) bool
}

// ahead is how many bodies of a lane are read before the one that is posted is
// done with, so that a lane that waits does not stop the others at once.
const ahead = 2

// minWait is the shortest time between two attempts.
const minWait = time.Millisecond

// A Sender posts what a queue holds to one receiver.
type Sender struct {
	o      Options
	queue  Queue
	client *http.Client
	// born is the epoch before which bodies are another process's.
	born uint64

	// gate is shut while another process sends.
	gate gate

	// protocol is what the receiver is taken to speak, until the next start.
	protocol  atomic.Uint32
	confirmed atomic.Bool

	sent, sentBytes, requests, retries, unknown, flying, newest atomic.Int64
	dropped                                                     [Reasons]atomic.Int64

	// mu guards what the last attempt came to.
	mu struct {
		sync.Mutex
		failure string
		since   time.Time
		// refusal is when a refusal was last logged.
		refusal time.Time
		// past is what another process has sent newer samples than.
		past past
	}
}

// past is bodies: those up to a number that have a sample from before a time.
type past struct {
	last   uint64
	before storage.Millis
}

// New is a sender of what is in a queue. Bodies of epochs below born were written
// by a process before this one.
func New(q Queue, born uint64, o Options) *Sender {
	s := &Sender{o: o.withDefaults(), queue: q, born: born}
	s.client = &http.Client{Transport: s.o.Transport, CheckRedirect: checkRedirect(s.o.FollowRedirects)}
	s.protocol.Store(uint32(s.o.Protocol))
	s.mu.since = time.Now()
	if !s.o.Shut {
		s.gate.open()
	}
	return s
}

// Open has bodies sent from now on, and Shut none: an attempt that is being made is
// given up, and what becomes of it is not known.
func (s *Sender) Open() { s.gate.open() }

// Shut is the opposite of Open.
func (s *Sender) Shut() { s.gate.close() }

// IsOpen says whether bodies are sent.
func (s *Sender) IsOpen() bool { return s.gate.lets() }

// Supersede says that another process has sent samples up to the given time, so
// that of the bodies up to the number last those must not be sent any more that
// have an older one.
func (s *Sender) Supersede(last uint64, newest storage.Millis) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.past = past{last, newest}
}

// superseded says whether a body is one of those.
func (s *Sender) superseded(r *queue.Record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.Seq <= s.mu.past.last && r.Oldest <= s.mu.past.before
}

// Protocol is what bodies should be written in.
func (s *Sender) Protocol() message.Protocol { return message.Protocol(s.protocol.Load()) }

// Run posts until the context ends.
func (s *Sender) Run(ctx context.Context) error {
	lanes := newLanes(ctx, s)
	defer func() { lanes.stop() }()
	var epoch uint64
	for {
		// What is read is in the order of the queue, and that of a queue whose
		// directory another process still has is not known yet.
		_, done, err := s.gate.pass(ctx)
		done()
		if err != nil {
			return nil
		}
		r, err := s.queue.Next(ctx)
		if err != nil {
			return nil
		}
		if r.Epoch != epoch {
			lanes.stop()
			lanes = newLanes(ctx, s)
			epoch = r.Epoch
		}
		if !lanes.put(r) {
			return nil
		}
	}
}

// lanes are the goroutines of one epoch.
type lanes struct {
	ctx    context.Context
	sender *Sender
	all    map[uint16]chan queue.Record
	done   sync.WaitGroup
}

func newLanes(ctx context.Context, s *Sender) *lanes {
	return &lanes{ctx: ctx, sender: s, all: map[uint16]chan queue.Record{}}
}

// put gives a body to its lane, when that has room. It is false where the context
// has ended.
func (l *lanes) put(r queue.Record) bool {
	lane, ok := l.all[r.Lane]
	if !ok {
		lane = make(chan queue.Record, ahead)
		l.all[r.Lane] = lane
		l.done.Go(func() {
			// What another process left may have been posted by it already.
			first := r.Epoch < l.sender.born
			for r := range lane {
				l.sender.deliver(l.ctx, r, first)
				first = false
			}
		})
	}
	select {
	case lane <- r:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// stop waits until all bodies are done with, or the context has ended.
func (l *lanes) stop() {
	for _, lane := range l.all {
		close(lane)
	}
	l.done.Wait()
}

// deliver posts one body until it is done with. unknown says that it may have
// arrived already.
func (s *Sender) deliver(ctx context.Context, r queue.Record, unknown bool) {
	s.flying.Add(1)
	defer s.flying.Add(-1)
	body, protocol := r.Body, message.Protocol(r.Protocol)
	for backoff := s.o.MinBackoff; ctx.Err() == nil && s.queue.Holds(r.Seq); {
		if s.o.MaxAge > 0 && time.Since(r.Newest.Time()) > s.o.MaxAge {
			s.drop(r, TooOld, int64(r.Samples))
			return
		}
		if protocol == message.V2 && s.Protocol() == message.V1 {
			down, err := message.Downgrade(nil, body)
			if err != nil {
				s.o.Log.Error("remote-write body cannot be sent", "url", s.o.Shown, "error", err)
				s.drop(r, Unreadable, int64(r.Samples))
				return
			}
			body, protocol = down, message.V1
		}
		a, ok := s.attempt(ctx, &r, body, protocol)
		if !ok {
			return
		}
		switch a.outcome {
		case taken:
			s.taken(r, a, protocol, len(body))
			return
		case refused:
			s.refused(r, a, unknown)
			return
		case older:
			s.fallBack(a)
			s.retries.Add(1)
			wait(ctx, minWait)
		case again:
			if ctx.Err() != nil {
				return
			}
			if a.unknown {
				s.unknown.Add(1)
				unknown = true
			}
			s.retries.Add(1)
			if a.failure != "" {
				s.note(a.failure)
			}
			// A tenth up or down, so that senders that failed together part.
			pause := time.Duration(float64(backoff) * (0.9 + 0.2*s.o.jitter()))
			wait(ctx, max(pause, a.wait, minWait))
			backoff = min(2*backoff, s.o.MaxBackoff)
		}
	}
}

// attempt posts a body once, when the gate is open. It is false where the body is
// done with all the same, or the context has ended.
func (s *Sender) attempt(ctx context.Context, r *queue.Record, body []byte, protocol message.Protocol) (answer, bool) {
	through, done, err := s.gate.pass(ctx)
	defer done()
	if err != nil {
		return answer{}, false
	}
	// While it waited, another process may have sent, or the queue dropped it.
	if s.superseded(r) {
		s.drop(*r, Superseded, int64(r.Samples))
		return answer{}, false
	}
	if !s.queue.Holds(r.Seq) {
		return answer{}, false
	}
	s.requests.Add(1)
	a := s.post(through, body, protocol)
	if through.Err() != nil && ctx.Err() == nil && a.outcome == again {
		a.failure = "" // It is not the receiver that failed.
	}
	return a, true
}

// wait waits, at most until the context ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// taken takes note that the receiver has a body.
func (s *Sender) taken(r queue.Record, a answer, protocol message.Protocol, size int) {
	stored := int64(r.Samples)
	if protocol == message.V2 {
		s.confirmed.Store(true)
		stored = min(stored, a.stored)
	}
	s.queue.Ack(r.Seq)
	s.sent.Add(stored)
	s.sentBytes.Add(int64(size))
	s.dropped[Rejected].Add(int64(r.Samples) - stored)
	s.raise(r.Newest)
	s.note("")
}

// raise takes note of the time of the newest sample.
func (s *Sender) raise(newest storage.Millis) {
	for {
		old := s.newest.Load()
		if int64(newest) <= old || s.newest.CompareAndSwap(old, int64(newest)) {
			return
		}
	}
}

// refused takes note that a receiver does not take a body, or not all of it.
func (s *Sender) refused(r queue.Record, a answer, unknown bool) {
	stored := min(int64(r.Samples), a.stored)
	s.sent.Add(stored)
	reason := Rejected
	if unknown {
		reason = Ambiguous
	}
	s.drop(r, reason, int64(r.Samples)-stored)
	s.mu.Lock()
	log := time.Since(s.mu.refusal) > time.Minute
	if log {
		s.mu.refusal = time.Now()
	}
	s.mu.Unlock()
	if log {
		s.o.Log.Error("remote-write receiver refuses samples; they are dropped and counted", "url", s.o.Shown, "answer", a.failure, "samples", int64(r.Samples)-stored)
	}
}

// drop is done with a body that was not delivered.
func (s *Sender) drop(r queue.Record, reason Reason, samples int64) {
	s.queue.Ack(r.Seq)
	s.dropped[reason].Add(samples)
}

// fallBack speaks 1.0 from now on.
func (s *Sender) fallBack(a answer) {
	if s.protocol.Swap(uint32(message.V1)) == uint32(message.V2) {
		answer := a.failure
		if answer == "" {
			answer = "success, but nothing was written"
		}
		s.o.Log.Info("remote-write receiver does not know 2.0; it is sent 1.0 until the next start", "url", s.o.Shown, "answer", answer)
	}
}

// note takes note of what the last attempt came to, and logs where that changed
// from good to bad or back.
func (s *Sender) note(failure string) {
	s.mu.Lock()
	changed := (failure == "") != (s.mu.failure == "")
	s.mu.failure = failure
	since := s.mu.since
	if changed {
		s.mu.since = time.Now()
	}
	s.mu.Unlock()
	switch {
	case changed && failure != "":
		s.o.Log.Error("remote-write receiver does not take samples; they wait", "url", s.o.Shown, "error", failure)
	case changed:
		s.o.Log.Info("remote-write receiver takes samples again", "url", s.o.Shown, "after", time.Since(since).Round(time.Millisecond).String())
	}
}

// State is how the sender is doing.
func (s *Sender) State() State {
	s.mu.Lock()
	failure, since := s.mu.failure, s.mu.since
	s.mu.Unlock()
	state := State{
		Protocol: s.Protocol(), Confirmed: s.confirmed.Load(),
		Sent: s.sent.Load(), SentBytes: s.sentBytes.Load(),
		Requests: s.requests.Load(), Retries: s.retries.Load(), Unknown: s.unknown.Load(),
		Flying: s.flying.Load(), Newest: storage.Millis(s.newest.Load()),
		Failure: failure, Since: storage.MillisOf(since),
	}
	for reason := range Reasons {
		state.Dropped[reason] = s.dropped[reason].Load()
	}
	return state
}
