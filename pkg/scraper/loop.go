// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/phase"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// decoder is what a kubelet.Decoder does.
type decoder interface {
	Resource(body []byte, sent storage.Millis, batch *storage.Batch) (kubelet.Stats, error)
	Summary(body []byte, batch *storage.Batch) (kubelet.Stats, error)
	Release()
}

// loop scrapes one node, turn by turn: a turn is what is done when the node is
// due, and between two turns a loop is only memory, with no goroutine, buffer or
// timer of its own. The fields down to end, and timing, may be used by any goroutine,
// and place is the queue's; the rest belongs to the worker that has the loop in its hands.
type loop struct {
	manager *Manager
	name    string

	target atomic.Pointer[Target]
	// changed says that target is to be looked at again, demanded the same of the
	// manager's demand.
	changed, demanded atomic.Bool
	status            atomic.Pointer[Status]
	// due is when the loop must have moved on at the latest, in time since the
	// manager's epoch.
	due    atomic.Int64
	end    end
	place  place
	timing timing

	// next is when the next scrape is due.
	next    time.Time
	conn    *nodeclient.Conn
	decoder decoder
	outage  outage
	refused refusals
	bridge  bridge
	offset  storage.Millis
	// succeeded is when the last good scrape began, and layout that one's.
	succeeded time.Time
	layout    *storage.Layout
	inputs    *inputs // nil while no source but the node's own is wanted
	tap       *tap    // nil while no series are
}

func (m *Manager) newLoop(target Target) *loop {
	l := &loop{
		manager: m,
		name:    target.Name,
		conn:    m.client.Conn(target.endpoint()),
		decoder: m.newDecoder(),
	}
	l.place.index = held
	l.target.Store(&target)
	l.status.Store(&Status{Node: target.Name, State: Pending})
	return l
}

// end is how a loop is ended by others while a request is under way.
type end struct {
	mu struct {
		sync.Mutex
		ended bool
		// cancel ends the request that is under way; nil: there is none.
		cancel context.CancelFunc
	}
}

// now ends the loop and its request. It may be called from any goroutine.
func (e *end) now() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.ended = true
	if e.mu.cancel != nil {
		e.mu.cancel()
	}
}

func (e *end) ended() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.ended
}

// limit is a context for a request, which ends with the loop at the latest. done
// must be called.
func (e *end) limit(ctx context.Context, timeout time.Duration) (limited context.Context, done func()) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.cancel = cancel; e.mu.ended {
		cancel()
	}
	return ctx, func() {
		e.mu.Lock()
		e.mu.cancel = nil
		e.mu.Unlock()
		cancel()
	}
}

// over says that the loop has ended, or that all of them do: what it was doing
// did not fail.
func (l *loop) over(ctx context.Context) bool { return ctx.Err() != nil || l.end.ended() }

// set replaces the target. It may be called from any goroutine.
func (l *loop) set(target Target) {
	if l.target.Load().Equal(target) {
		return
	}
	l.target.Store(&target)
	l.changed.Store(true)
	l.manager.queue.hurry(l)
}

// begin says when the first scrape is due. It is called once, before the first
// turn.
func (l *loop) begin(now time.Time) (wake time.Time) {
	options := &l.manager.options
	l.next = l.manager.pacer.reserve(now, phase.Next(now, phase.Of(l.name, options.Resolution, l.manager.count()), options.Resolution))
	l.expect(l.next)
	return l.next
}

// turn does what is due, and says when something is again.
func (l *loop) turn(ctx context.Context) (wake time.Time) {
	now := time.Now()
	scrape := !now.Before(l.next)
	if l.changed.Swap(false) {
		l.conn.SetEndpoint(l.target.Load().endpoint())
		// A good node keeps its phase. A failing one is asked soon, because what
		// changed may be the cure; but a node may change what is known of it as often
		// as it likes, which must not make it be asked without a pause.
		if soon := l.status.Load().Attempted.Add(firstRetry(l.manager.options.Resolution)); l.outage.failures > 0 && soon.Before(l.next) {
			l.next = soon
			scrape = !now.Before(soon)
		}
	}
	if l.demanded.Swap(false) {
		l.look()
	}
	switch {
	case scrape:
		l.next = l.scrape(ctx)
		l.askInputs(ctx, l.next)
	case !now.Before(l.wake(l.next)):
		l.askInputs(ctx, l.next)
	}
	wake = l.wake(l.next)
	l.expect(wake)
	return wake
}

// expect says until when the loop will have moved on.
func (l *loop) expect(t time.Time) { l.due.Store(int64(t.Sub(l.manager.epoch))) }

// scrape scrapes once and returns when to do so again.
func (l *loop) scrape(ctx context.Context) time.Time {
	options := &l.manager.options
	defer l.admit(ctx)()
	begun := time.Now()
	l.expect(begun.Add(options.RequestTimeout))
	status := &Status{Node: l.name, State: Up, Attempted: begun}
	err := l.attempt(ctx, begun, status)
	if l.over(ctx) {
		return begun
	}
	ended := time.Now()
	l.manager.metrics.tick.Observe(ended.Sub(begun).Seconds())
	l.outage.note(ctx, l.name, ended, err)

	status.Took, status.Succeeded, status.Address = ended.Sub(begun), l.succeeded, l.conn.Address()
	status.ClockOffset = l.offset.Duration()
	if err != nil {
		l.missed(ctx, series.SourceSetOf(series.Resource, series.Cadvisor, series.Summary), begun)
		l.manager.metrics.failures.WithLabelValues(string(nodeclient.ReasonOf(err))).Inc()
		status.State, status.Reason, status.Error = Down, nodeclient.ReasonOf(err), err.Error()
		status.Failures, status.FailingSince = l.outage.failures, l.outage.since
		last := l.status.Load()
		status.Stats, status.Unrated = last.Stats, last.Unrated
	}
	l.status.Store(status)
	if status.Bridging {
		return begun.Add(l.bridge.next(options.BridgeInterval))
	}
	return nextAttempt(l.name, ended, l.outage.failures, options.Resolution, l.manager.count())
}

// longestFirst is how long a first scrape counts among those that go on. It is for work
// that new nodes take turns, and a node that hangs does none: by then a good one is done,
// unless the processors are busy beyond what turns could mend.
const longestFirst = 2 * time.Second

// admit waits until the node may be scraped for the first time, if it was not yet: after
// that it waits for nobody. None of a request's time passes meanwhile, and as long as
// others' do, the loop is not one that hangs. done must be called after the scrape.
func (l *loop) admit(ctx context.Context) (done func()) {
	if l.status.Load().State != Pending {
		return func() {}
	}
	l.due.Store(0)
	select {
	case l.manager.first <- struct{}{}:
		over := sync.OnceFunc(func() { <-l.manager.first })
		timer := time.AfterFunc(longestFirst, over)
		return func() {
			timer.Stop()
			over()
		}
	case <-ctx.Done():
		return func() {}
	}
}

// attempt scrapes once and commits what it got.
func (l *loop) attempt(ctx context.Context, begun time.Time, status *Status) error {
	ctx, done := l.end.limit(ctx, l.manager.options.RequestTimeout)
	defer done()
	defer func() { l.decoder.Release() }() // Of which a panic makes another.
	var batch storage.Batch
	query := l.resourceQuery()
	answer, err := l.resource(ctx, begun, query, &batch, status)
	if err != nil {
		return err
	}
	result, err := l.commit(&batch)
	switch {
	case err != nil:
	case query == "":
		l.give(ctx, series.Resource, answer)
	default:
		l.lookSeries(ctx) // Who wanted all of it may be told that it ends.
	}
	answer.Release()
	if err != nil {
		return err
	}
	l.manager.metrics.refused(&status.Stats, &result)
	l.refused.note(ctx, l.name, time.Now(), &status.Stats, &result)
	if l.succeeded.IsZero() || begun.Sub(l.succeeded) > l.manager.staleness {
		l.bridge.begin(begun, l.manager.options.BridgeTime)
	}
	l.succeeded, l.layout = begun, batch.Layout
	if l.bridge.goOn(begun, result.Unrated) && !l.manager.options.NoSummary && l.bridge.asks(begun) {
		// The answer is in the store by now, whatever becomes of this.
		if rated, moved, ok := l.summary(ctx, &batch); ok {
			if result = rated; result.Unrated > 0 {
				l.bridge.fellShort(result.Unrated, moved)
			}
		}
	}
	status.Unrated = result.Unrated
	status.Bridging = l.bridge.goOn(begun, result.Unrated)
	return nil
}

// resourceQuery is what to ask of the resource metrics: what we read of them, or
// nothing, which is everything, where a consumer wants their series or the kubelet
// knows no better.
func (l *loop) resourceQuery() string {
	wanted := l.manager.demands.current.Load()
	if !l.target.Load().Selects || wanted != nil && wanted.series().Has(series.Resource) {
		return ""
	}
	return kubelet.ResourceQuery
}

// resource asks for the resource metrics and makes a batch of them. The answer
// has to be released.
func (l *loop) resource(ctx context.Context, begun time.Time, query string, batch *storage.Batch, status *Status) (*nodeclient.Answer, error) {
	target := l.target.Load()
	if target.Problem != "" {
		return nil, &nodeclient.Error{Reason: reasonTarget, Err: errors.New(target.Problem)}
	}
	answer, err := l.conn.Get(ctx, target.ResourcePath, query)
	if err != nil && nodeclient.ReasonOf(err) == nodeclient.ReasonCanceled {
		return nil, err
	}
	l.requested(begun, err)
	if err != nil {
		return nil, err
	}
	l.manager.metrics.bodyBytes.Add(float64(len(answer.Body)))
	if b, ok := offsetBounds(answer); ok {
		if offset := nextOffset(l.offset, b); offset != l.offset {
			l.offset = offset
			l.manager.metrics.offset(l.name, offset)
		}
	}
	batch.Node, batch.Offset = l.name, l.offset
	batch.Sent, batch.Received = storage.MillisOf(answer.Sent), storage.MillisOf(answer.Received)
	status.Stats, err = l.decode(ctx, func(d decoder) (kubelet.Stats, error) {
		return d.Resource(answer.Body, batch.Sent-batch.Offset, batch)
	})
	if err != nil {
		answer.Release()
		return nil, fmt.Errorf("read resource metrics: %w", err)
	}
	return answer, nil
}

// requested counts a request for resource metrics.
func (l *loop) requested(begun time.Time, err error) {
	now := time.Now()
	l.timing.add(now.Sub(begun), now)
	if err != nil {
		l.manager.metrics.failed.Inc()
	} else {
		l.manager.metrics.succeeded.Inc()
	}
}

// commit hands the batch to the store.
func (l *loop) commit(batch *storage.Batch) (storage.CommitResult, error) {
	result, err := l.manager.store.Commit(batch)
	if err != nil {
		return result, &nodeclient.Error{Reason: reasonBug, Err: err}
	}
	return result, nil
}

// summary asks for the kubelet's own rates, adds them to the batch and commits
// it again; moved is kubelet.Stats'. A failure costs only the rates.
func (l *loop) summary(ctx context.Context, batch *storage.Batch) (result storage.CommitResult, moved int, ok bool) {
	count := func(result string) { l.manager.metrics.summaries.WithLabelValues(result).Inc() }
	answer, err := l.conn.Get(ctx, summaryPath, summaryQuery)
	if err != nil {
		if l.bridge.failed(time.Now(), err) {
			count("refused")
			l.manager.summaryRefusal.report(klog.FromContext(ctx), l.name, err)
		} else if nodeclient.ReasonOf(err) != nodeclient.ReasonCanceled {
			count("failed")
		}
		return result, 0, false
	}
	defer answer.Release()
	l.manager.metrics.bodyBytes.Add(float64(len(answer.Body)))
	stats, err := l.decode(ctx, func(d decoder) (kubelet.Stats, error) { return d.Summary(answer.Body, batch) })
	if err != nil {
		count("failed")
		klog.FromContext(ctx).V(2).Info("Summary cannot be read", "node", l.name, "err", err)
		return result, 0, false
	}
	count("ok")
	result, err = l.commit(batch)
	return result, stats.Moved, err == nil
}

// decode runs the decoder. A decoder that panics is our bug, but the bytes are a
// stranger's: one node must not be able to take all others' metrics away. The
// decoder's state is not to be trusted then, so the node gets a new one.
func (l *loop) decode(ctx context.Context, read func(decoder) (kubelet.Stats, error)) (stats kubelet.Stats, err error) {
	defer func() {
		if p := recover(); p != nil {
			klog.FromContext(ctx).Error(nil, "BUG: the decoder panicked", "node", l.name, "panic", p, "stack", string(debug.Stack()))
			l.decoder = l.manager.newDecoder()
			err = &nodeclient.Error{Reason: reasonBug, Err: fmt.Errorf("decoder panicked: %v", p)}
		}
	}()
	stats, err = read(l.decoder)
	if err != nil {
		l.manager.bounds.count(err)
		err = &nodeclient.Error{Reason: reasonDecode, Err: err}
	}
	return stats, err
}
