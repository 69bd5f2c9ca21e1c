// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/phase"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

const cadvisorPath = "/metrics/cadvisor"

// inputs is what a loop knows of the sources of custom metrics. They are asked
// over the loop's connection when its scrape is done, and must never touch it:
// they have until the next scrape is due, and failures, pauses and counters of
// their own. A loop has none while nothing is wanted.
type inputs struct {
	// known is the demand that the loop has looked at.
	known input.Set
	// asked is when the sources were asked last.
	asked time.Time
	// soon is when to ask again though no scrape is due; zero is not.
	soon time.Time
	// bridge is the time during which counters that are new get their second
	// sample sooner.
	bridge  bridge
	sources [input.Sources]inputSource
}

// inputSource is what a loop knows of one source.
type inputSource struct {
	// asked is what the last good answer was asked for, and layout that
	// answer's.
	asked  input.Set
	layout *storage.Layout
	// tapped is that series are wanted of it, too.
	tapped bool
	// failures is how many requests have failed in a row; paused is until when
	// the source is not asked.
	failures int
	paused   time.Time
	// What the last line in the log said, and when.
	saidDown bool
	said     time.Time
}

// look takes note of the newest demand.
func (l *loop) look() {
	d := l.manager.demands.load()
	if d.set == 0 && d.series()&^series.SourceSetOf(series.Resource) == 0 {
		l.inputs = nil
		return
	}
	if l.inputs == nil {
		l.inputs = &inputs{}
	}
	fresh := d.set&^l.inputs.known != 0
	for source := range input.Sources {
		s, tapped := &l.inputs.sources[source], d.wantsSeries(source)
		fresh = fresh || tapped && !s.tapped
		if d.set&source.Of() == 0 && !tapped {
			*s = inputSource{}
		}
		s.tapped = tapped
	}
	// A node that was not scraped yet is asked when it is.
	if fresh && !l.succeeded.IsZero() {
		l.inputs.hurry(d.at.Add(phase.Alone(l.name, max(1, d.spread))))
	}
	l.inputs.known = d.set
}

// hurry makes the sources be asked at t if that is not to be sooner.
func (i *inputs) hurry(t time.Time) {
	if i.soon.IsZero() || t.Before(i.soon) {
		i.soon = t
	}
}

// due says whether the sources were to be asked by now, and that once only: if
// it cannot be done now, the next scrape is early enough.
func (i *inputs) due(now time.Time) bool {
	if i.soon.IsZero() || now.Before(i.soon) {
		return false
	}
	i.soon = time.Time{}
	return true
}

// leastShare is the least time before the next scrape in which sources are
// asked: too little of it is worse than none, because running out of it ends the
// connection.
func (m *Manager) leastShare() time.Duration { return m.options.Resolution / 10 }

// wake is when the loop has something to do, whose next scrape is at next.
func (l *loop) wake(next time.Time) time.Time {
	if l.inputs == nil || l.inputs.soon.IsZero() || next.Sub(l.inputs.soon) < l.manager.leastShare() {
		return next
	}
	return l.inputs.soon
}

// askInputs asks the sources of what is wanted if it is time to. The scrape of
// the node, which must be well, is due again at next.
func (l *loop) askInputs(ctx context.Context, next time.Time) {
	if l.look(); l.inputs == nil || l.over(ctx) {
		return
	}
	i, options := l.inputs, &l.manager.options
	begun := time.Now()
	hurried := i.due(begun)
	// While the node is fresh it is scraped more often than is of use here.
	if l.outage.failures > 0 || !hurried && begun.Sub(i.asked) < options.Resolution/2 {
		return
	}
	if next.Sub(begun) < l.manager.leastShare() {
		return
	}
	l.expect(next)
	i.asked = begun
	waiting := 0
	for source := range input.Sources {
		s, wanted := &i.sources[source], i.known&source.Of()
		if wanted == 0 && !s.tapped || begun.Before(s.paused) {
			continue
		}
		// One that hangs leaves time for those behind it.
		share := time.Until(next) / time.Duration(input.Sources-source)
		result, err := l.askInput(ctx, min(share, options.RequestTimeout), source, wanted, s)
		if !l.noteInput(ctx, source, s, err) {
			if s.failures == 1 && s.paused.IsZero() { // Such as when all nodes are asked at once.
				i.hurry(time.Now().Add(options.BridgeInterval))
			}
			continue
		}
		if wanted&^s.asked != 0 {
			i.bridge.begin(begun, options.BridgeTime)
		}
		s.asked = wanted
		waiting += result.Waiting
	}
	if i.bridge.goOn(begun, waiting) {
		// A kubelet refreshes a sample every ten seconds at most.
		i.hurry(begun.Add(2 * options.BridgeInterval))
	}
}

// askInput asks one source, and hands out what it got: to the store what is wanted
// of inputs, and then to the consumers of series what they want, whatever became of
// the former.
func (l *loop) askInput(ctx context.Context, timeout time.Duration, source input.Source, wanted input.Set, s *inputSource) (result input.CommitResult, err error) {
	limited, done := l.end.limit(ctx, timeout)
	defer done()
	path, query := cadvisorPath, ""
	if source == input.Summary {
		if path = summaryPath; !s.tapped {
			query = kubelet.SummaryQuery(wanted)
		}
	}
	begun := time.Now()
	answer, err := l.conn.Get(limited, path, query)
	if err != nil {
		if !l.over(ctx) {
			l.missed(ctx, series.SourceSetOf(seriesSource(source)), begun)
		}
		return result, err
	}
	defer answer.Release()
	l.manager.metrics.inputBytes.WithLabelValues(source.String()).Add(float64(len(answer.Body)))
	if wanted != 0 {
		result, err = l.commitInput(ctx, source, wanted, s, answer)
	}
	if s.tapped {
		l.give(ctx, seriesSource(source), answer)
	}
	return result, err
}

// commitInput commits the inputs that an answer has.
func (l *loop) commitInput(ctx context.Context, source input.Source, wanted input.Set, s *inputSource, answer *nodeclient.Answer) (result input.CommitResult, err error) {
	decoder := l.manager.inputDecoder
	a := decoder.Answer()
	a.Names = l.layout
	a.Batch = input.Batch{
		Node: l.name, Source: source, Inputs: wanted, Layout: s.layout, Offset: l.offset,
		Sent: storage.MillisOf(answer.Sent), Received: storage.MillisOf(answer.Received),
	}
	stats, err := decodeInput(ctx, decoder, answer.Body, a)
	if nodeclient.ReasonOf(err) != reasonBug { // What panicked is in no good state.
		defer decoder.Release(a)
	}
	if err != nil {
		l.manager.bounds.count(err)
		return result, err
	}
	if result, err = l.manager.options.Inputs.Commit(&a.Batch); err != nil {
		return result, &nodeclient.Error{Reason: reasonBug, Err: err}
	}
	s.layout = a.Batch.Layout
	l.manager.metrics.refusedInputs(&stats, &result)
	return result, nil
}

// decodeInput runs the decoder. One that panics is our bug, but the bytes are a
// stranger's; the answer is not to be trusted then.
func decodeInput(ctx context.Context, decoder *kubelet.InputDecoder, body []byte, a *kubelet.InputAnswer) (stats kubelet.Stats, err error) {
	defer func() {
		if p := recover(); p != nil {
			klog.FromContext(ctx).Error(nil, "BUG: the decoder of inputs panicked", "node", a.Batch.Node, "panic", p, "stack", string(debug.Stack()))
			err = &nodeclient.Error{Reason: reasonBug, Err: fmt.Errorf("decoder panicked: %v", p)}
		}
	}()
	if stats, err = decoder.Decode(body, a); err != nil {
		err = &nodeclient.Error{Reason: reasonDecode, Err: err}
	}
	return stats, err
}

// noteInput takes note of how asking a source went, and says whether it was
// well. A source that fails once is asked again soon, and then ever less often,
// because a request that times out costs the connection; one that is refused,
// which is a matter of rights, is left alone for long.
func (l *loop) noteInput(ctx context.Context, source input.Source, s *inputSource, err error) bool {
	if err != nil && nodeclient.ReasonOf(err) == nodeclient.ReasonCanceled {
		return false // The loop ends.
	}
	logger, now := klog.FromContext(ctx), time.Now()
	count := func(result string) {
		l.manager.metrics.inputRequests.WithLabelValues(source.String(), result).Inc()
	}
	quiet := !s.said.IsZero() && now.Sub(s.said) < lineInterval
	if err == nil {
		count("ok")
		s.failures, s.paused = 0, time.Time{}
		if s.saidDown && !quiet {
			s.saidDown, s.said = false, now
			logger.Info("Source of custom metrics is read again", "node", l.name, "source", source.String())
		}
		return true
	}
	s.failures++
	if refusedStatus(err) {
		count("refused")
		s.paused = now.Add(summaryPause)
		l.manager.inputRefusals[source].report(logger, l.name, source, err)
		return false
	}
	count("failed")
	if s.failures > 1 {
		doubled := l.manager.options.Resolution << min(s.failures-2, 10)
		s.paused = now.Add(min(doubled, summaryPause))
	}
	if s.failures > 1 && !s.saidDown && !quiet {
		s.saidDown, s.said = true, now
		logger.Error(err, "Source of custom metrics cannot be read; its last values are served until they are stale", "node", l.name, "source", source.String(), "reason", nodeclient.ReasonOf(err))
	}
	return false
}

// inputRefusal logs once a process that nodes refuse a source: it is a right that
// may be left out on purpose, and is the same on all nodes.
type inputRefusal struct{ logged atomic.Bool }

func (r *inputRefusal) report(logger klog.Logger, node string, source input.Source, err error) {
	if r.logged.CompareAndSwap(false, true) {
		logger.Info("A node refuses a source of custom metrics; kubelets ask for the right nodes/metrics for cadvisor, nodes/stats for summary", "node", node, "source", source.String(), "err", err)
	}
}
