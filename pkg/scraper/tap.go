// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"context"
	"fmt"
	"net"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// tap gives the answers of one node to the consumers of labelled series: the same
// bytes, read a second time, when the store has had its answer. Consumers are a
// matter of this process, but what they do with a stranger's bytes must not take
// the node's other metrics away: what panics is let go of.
//
// There is none for a loop while no consumer wants anything.
type tap struct {
	// known is the demand that the receivers are for.
	known   *demand
	streams [series.Sources]*kubelet.SeriesStream
	// receivers has those of each consumer, nil where it does not want the source.
	receivers [][series.Sources]series.Receiver
}

// lookSeries makes the loop's tap what the newest demand says.
func (l *loop) lookSeries(ctx context.Context) {
	d := l.manager.demands.current.Load()
	switch {
	case l.tap == nil && (d == nil || d.series() == 0):
		return
	case l.tap == nil:
		l.tap = &tap{receivers: make([][series.Sources]series.Receiver, len(l.manager.options.Series))}
	case l.tap.known == d:
		return
	}
	l.tap.known = d
	now := storage.MillisOf(time.Now())
	for i, consumer := range l.manager.options.Series {
		for source := range series.Sources {
			l.subscribe(ctx, consumer, &l.tap.receivers[i][source], source, d.consumers[i].Has(source), now)
		}
	}
	if d.series() == 0 {
		l.tap = nil
	}
}

// subscribe makes a consumer have a receiver of a source, or none.
func (l *loop) subscribe(ctx context.Context, consumer series.Consumer, receiver *series.Receiver, source series.Source, wanted bool, now storage.Millis) {
	stream := &l.tap.streams[source]
	switch {
	case wanted && *receiver == nil:
		err := guard(func() { *receiver = consumer.Receiver(l.name, source) })
		if err != nil {
			l.panicked(ctx, source, err)
			return
		}
		if *stream == nil {
			*stream = l.manager.seriesDecoder.Stream(l.name, source)
		}
		(*stream).Attach(*receiver)
	case !wanted && *receiver != nil:
		if *stream != nil {
			if err := (*stream).Detach(*receiver, now); err != nil {
				l.panicked(ctx, source, err)
			}
		}
		*receiver = nil
	}
}

// give hands an answer to the consumers that want its source. It takes no longer
// than they do, and they wait for nothing.
func (l *loop) give(ctx context.Context, source series.Source, answer *nodeclient.Answer) {
	l.lookSeries(ctx)
	if l.tap == nil || l.tap.streams[source] == nil {
		return
	}
	begun, stream := time.Now(), l.tap.streams[source]
	var stats kubelet.SeriesStats
	var err error
	bug := guard(func() {
		stats, err = stream.Decode(kubelet.SeriesAnswer{
			Body: answer.Body, Sent: storage.MillisOf(answer.Sent), Received: storage.MillisOf(answer.Received), Offset: l.offset,
		})
	})
	metrics := l.manager.metrics
	switch {
	case bug != nil:
		// What panicked is in no good state; what the consumers hold is of the past.
		l.panicked(ctx, source, bug)
		l.dropStream(ctx, source)
	case err != nil:
		l.manager.bounds.count(err)
		klog.FromContext(ctx).V(2).Info("Series cannot be read", "node", l.name, "source", source.String(), "err", err)
		stream.Failed(storage.MillisOf(answer.Sent))
	}
	metrics.series(source, &stats, time.Since(begun), err != nil || bug != nil)
	l.letGo(ctx, source)
}

// missed tells the consumers that sources were to be asked and did not answer.
func (l *loop) missed(ctx context.Context, sources series.SourceSet, at time.Time) {
	if l.lookSeries(ctx); l.tap == nil {
		return
	}
	for source := range series.Sources {
		if stream := l.tap.streams[source]; stream != nil && sources.Has(source) {
			stream.Failed(storage.MillisOf(at))
			l.letGo(ctx, source)
		}
	}
}

// letGo logs which receivers panicked. They are not called again.
func (l *loop) letGo(ctx context.Context, source series.Source) {
	stream := l.tap.streams[source]
	for stream != nil {
		_, err := stream.Broken()
		if err == nil {
			return
		}
		l.panicked(ctx, source, err)
	}
}

// dropStream ends all receivers of a source. New ones are asked for with the next
// answer.
func (l *loop) dropStream(ctx context.Context, source series.Source) {
	stream := l.tap.streams[source]
	l.tap.streams[source], l.tap.known = nil, nil
	for i := range l.tap.receivers {
		l.tap.receivers[i][source] = nil
	}
	if err := stream.End(storage.MillisOf(time.Now())); err != nil {
		l.panicked(ctx, source, err)
	}
}

// endSeries says that the node is gone.
func (l *loop) endSeries(ctx context.Context) {
	if l.tap == nil {
		return
	}
	for source := range series.Sources {
		if l.tap.streams[source] != nil {
			l.dropStream(ctx, source)
		}
	}
	l.tap = nil
}

func (l *loop) panicked(ctx context.Context, source series.Source, err error) {
	l.manager.metrics.seriesPanics.Inc()
	klog.FromContext(ctx).Error(err, "BUG: a consumer of series panicked and is let go of", "node", l.name, "source", source.String())
}

// guard turns a panic into an error.
func guard(call func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	call()
	return nil
}

// wantsSeries says whether series are wanted of a source of inputs.
func (d *demand) wantsSeries(source input.Source) bool { return d.series().Has(seriesSource(source)) }

// seriesSource is a source of inputs as one of series.
func seriesSource(source input.Source) series.Source {
	if source == input.Cadvisor {
		return series.Cadvisor
	}
	return series.Summary
}

// SeriesChanged says that the sources of a consumer in Options.Series are not what
// they were. Nodes are asked for new ones as Demand has it, those that nobody wants
// any more are left alone. Run begins with it, and it does not wait.
func (m *Manager) SeriesChanged() {
	if len(m.options.Series) == 0 {
		return
	}
	m.demands.order.Lock()
	defer m.demands.order.Unlock()
	d := m.demands.load()
	consumers := make([]series.SourceSet, len(m.options.Series))
	for i, consumer := range m.options.Series {
		if consumers[i] = consumer.Sources(); m.options.NoSummary {
			consumers[i] &^= series.SourceSetOf(series.Summary)
		}
	}
	if !slices.Equal(d.consumers, consumers) {
		m.demandLocked(demand{set: d.set, consumers: consumers})
	}
}

// Instance is the address and port of a node's kubelet as a label has it, the
// internal address where there is one; empty where there is no such target.
func (m *Manager) Instance(node string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.mu.nodes[node]
	if n == nil {
		return ""
	}
	target := n.loop.target.Load()
	if len(target.Addresses) == 0 {
		return ""
	}
	address := target.Addresses[max(0, slices.IndexFunc(target.Addresses, func(a Address) bool { return a.Type == "InternalIP" }))]
	return net.JoinHostPort(address.Host, strconv.Itoa(target.Port))
}
