// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// decoder is what a kubelet.Decoder does.
type decoder interface {
	Resource(body []byte, sent storage.Millis, batch *storage.Batch) (kubelet.Stats, error)
	Summary(body []byte, batch *storage.Batch) (kubelet.Stats, error)
	Release()
}

// loop scrapes one node. Everything but target, changed, status and due belongs
// to the goroutine of run. What it holds between two scrapes is little, because
// there is one for each node: no buffer, no timer but the one it waits for.
type loop struct {
	manager *Manager
	name    string

	target  atomic.Pointer[Target]
	changed chan struct{} // one place; full is: look at target again
	// demanded is the same for the manager's demand.
	demanded chan struct{}
	status   atomic.Pointer[Status]
	// due is when the loop must have moved on at the latest, in time since the
	// manager's epoch.
	due atomic.Int64

	conn    *nodeclient.Conn
	decoder decoder
	metrics nodeMetrics
	outage  outage
	refused refusals
	bridge  bridge
	offset  storage.Millis
	// succeeded is when the last good scrape began, and layout that one's.
	succeeded time.Time
	layout    *storage.Layout
	inputs    *inputs // nil while none is wanted
}

func (m *Manager) newLoop(target Target) *loop {
	l := &loop{
		manager: m,
		name:    target.Name,
		changed: make(chan struct{}, 1),
		conn:    m.client.Conn(target.endpoint()),
		decoder: m.newDecoder(),

		demanded: make(chan struct{}, 1),
	}
	l.target.Store(&target)
	l.status.Store(&Status{Node: target.Name, State: Pending})
	return l
}

// set replaces the target. It may be called from any goroutine.
func (l *loop) set(target Target) {
	if l.target.Load().Equal(target) {
		return
	}
	l.target.Store(&target)
	select {
	case l.changed <- struct{}{}:
	default: // It will look anyway.
	}
}

// run scrapes until ctx ends.
func (l *loop) run(ctx context.Context) {
	defer l.conn.Close()
	options := &l.manager.options
	now := time.Now()
	next := l.manager.pacer.reserve(now, nextSlot(now, phase(l.name, options.Resolution), options.Resolution))
	timer := time.NewTimer(next.Sub(now))
	defer timer.Stop()
	for {
		wake := l.wake(next)
		l.expect(wake)
		timer.Reset(time.Until(wake))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			if wake.Before(next) {
				l.askInputs(ctx, next)
				continue
			}
		case <-l.demanded:
			l.look()
			continue
		case <-l.changed:
			l.conn.SetEndpoint(l.target.Load().endpoint())
			if l.outage.failures == 0 {
				continue // The phase stays.
			}
			// What changed may be the cure.
		}
		next = l.scrape(ctx)
		l.askInputs(ctx, next)
		if ctx.Err() != nil {
			return // A timer that is due would be picked as often as the end.
		}
	}
}

// expect says until when the loop will have moved on.
func (l *loop) expect(t time.Time) { l.due.Store(int64(t.Sub(l.manager.epoch))) }

// scrape scrapes once and returns when to do so again.
func (l *loop) scrape(ctx context.Context) time.Time {
	options := &l.manager.options
	begun := time.Now()
	l.expect(begun.Add(options.RequestTimeout))
	status := &Status{Node: l.name, State: Up, Attempted: begun}
	err := l.attempt(ctx, begun, status)
	if ctx.Err() != nil {
		return begun // The loop ends; what it was doing did not fail.
	}
	ended := time.Now()
	l.manager.metrics.tick.Observe(ended.Sub(begun).Seconds())
	l.outage.note(klog.FromContext(ctx), l.name, ended, err)

	status.Took, status.Succeeded, status.Address = ended.Sub(begun), l.succeeded, l.conn.Address()
	status.ClockOffset = l.offset.Duration()
	if err != nil {
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
	return nextAttempt(l.name, ended, l.outage.failures, options.Resolution)
}

// attempt scrapes once and commits what it got.
func (l *loop) attempt(ctx context.Context, begun time.Time, status *Status) error {
	ctx, cancel := context.WithTimeout(ctx, l.manager.options.RequestTimeout)
	defer cancel()
	defer func() { l.decoder.Release() }() // Of which a panic makes another.
	var batch storage.Batch
	if err := l.resource(ctx, begun, &batch, status); err != nil {
		return err
	}
	result, err := l.commit(&batch)
	if err != nil {
		return err
	}
	l.manager.metrics.refused(&status.Stats, &result)
	l.refused.note(klog.FromContext(ctx), l.name, time.Now(), &status.Stats, &result)
	if l.succeeded.IsZero() || begun.Sub(l.succeeded) > l.manager.staleness {
		l.bridge.begin(begun, l.manager.options.BridgeTime)
	}
	l.succeeded, l.layout = begun, batch.Layout
	if l.bridge.goOn(begun, result.Unrated) && !l.manager.options.NoSummary && l.bridge.asks(begun) {
		// The answer is in the store by now, whatever becomes of this.
		if rated, ok := l.summary(ctx, &batch); ok {
			if result = rated; result.Unrated > 0 {
				l.bridge.fellShort()
			}
		}
	}
	status.Unrated = result.Unrated
	status.Bridging = l.bridge.goOn(begun, result.Unrated)
	return nil
}

// resource asks for the resource metrics and makes a batch of them.
func (l *loop) resource(ctx context.Context, begun time.Time, batch *storage.Batch, status *Status) error {
	target := l.target.Load()
	if target.Problem != "" {
		return &nodeclient.Error{Reason: reasonTarget, Err: errors.New(target.Problem)}
	}
	answer, err := l.conn.Get(ctx, target.ResourcePath, "")
	if err != nil && nodeclient.ReasonOf(err) == nodeclient.ReasonCanceled {
		return err
	}
	l.requested(begun, err)
	if err != nil {
		return err
	}
	defer answer.Release()
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
		return fmt.Errorf("read resource metrics: %w", err)
	}
	return nil
}

// requested counts a request for resource metrics.
func (l *loop) requested(begun time.Time, err error) {
	now := time.Now()
	if l.metrics == (nodeMetrics{}) {
		l.metrics = l.manager.metrics.node(l.name)
	}
	l.metrics.duration.Observe(now.Sub(begun).Seconds())
	l.metrics.last.Set(float64(now.Unix()))
	success := "true"
	if err != nil {
		success = "false"
	}
	l.manager.metrics.requests.WithLabelValues(success).Inc()
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
// it again. A failure costs only the rates.
func (l *loop) summary(ctx context.Context, batch *storage.Batch) (result storage.CommitResult, ok bool) {
	count := func(result string) { l.manager.metrics.summaries.WithLabelValues(result).Inc() }
	answer, err := l.conn.Get(ctx, summaryPath, summaryQuery)
	if err != nil {
		if l.bridge.failed(time.Now(), err) {
			count("refused")
			l.manager.summaryRefusal.report(klog.FromContext(ctx), l.name, err)
		} else if nodeclient.ReasonOf(err) != nodeclient.ReasonCanceled {
			count("failed")
		}
		return result, false
	}
	defer answer.Release()
	l.manager.metrics.bodyBytes.Add(float64(len(answer.Body)))
	if _, err := l.decode(ctx, func(d decoder) (kubelet.Stats, error) { return d.Summary(answer.Body, batch) }); err != nil {
		count("failed")
		klog.FromContext(ctx).V(2).Info("Summary cannot be read", "node", l.name, "err", err)
		return result, false
	}
	count("ok")
	result, err = l.commit(batch)
	return result, err == nil
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
