// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/component-base/metrics"
)

// timingBuckets is how many buckets a timing has: those of metrics.DefBuckets,
// and one for what is longer.
const timingBuckets = 12

// timing is how long the requests to one node took, and when the last one was. It
// is 64 bytes, where a histogram and a gauge of the Prometheus library are 1.5 kB,
// and there is one a node; BenchmarkTiming has both. One goroutine at a time adds
// to it; any number may read it meanwhile.
type timing struct {
	buckets [timingBuckets]atomic.Uint32 // not cumulative
	sum     atomic.Uint64                // of seconds, the bits of a float64
	last    atomic.Int64                 // Unix seconds; 0 is: there was none
}

// add takes note of a request.
func (t *timing) add(took time.Duration, at time.Time) {
	seconds, bucket := took.Seconds(), 0
	for bucket < len(metrics.DefBuckets) && seconds > metrics.DefBuckets[bucket] {
		bucket++
	}
	t.buckets[bucket].Add(1)
	t.sum.Store(math.Float64bits(math.Float64frombits(t.sum.Load()) + seconds))
	t.last.Store(at.Unix())
}

// metric is what was added, in the form in which metrics are shown. A request that
// is added meanwhile may be in a part of it only.
func (t *timing) metric(desc *prometheus.Desc, node string) prometheus.Metric {
	cumulative := make(map[float64]uint64, len(metrics.DefBuckets))
	count := uint64(0)
	for i, bound := range metrics.DefBuckets {
		count += uint64(t.buckets[i].Load())
		cumulative[bound] = count
	}
	count += uint64(t.buckets[timingBuckets-1].Load())
	return prometheus.MustNewConstHistogram(desc, count, math.Float64frombits(t.sum.Load()), cumulative, node)
}

// timings shows the timings of all nodes, as two families of metrics-server's,
// with their names, labels and buckets.
type timings struct {
	loops          func() []*loop
	duration, last *prometheus.Desc
}

func newTimings(loops func() []*loop) *timings {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("metrics_server_kubelet_"+name, "[ALPHA] "+help, []string{"node"}, nil)
	}
	return &timings{
		loops:    loops,
		duration: desc("request_duration_seconds", "Duration of requests to Kubelet API in seconds"),
		last:     desc("last_request_time_seconds", "Time of last request performed to Kubelet API since unix epoch in seconds"),
	}
}

// Describe implements prometheus.Collector.
func (t *timings) Describe(ch chan<- *prometheus.Desc) {
	ch <- t.duration
	ch <- t.last
}

// Collect implements prometheus.Collector.
func (t *timings) Collect(ch chan<- prometheus.Metric) {
	for _, l := range t.loops() {
		if last := l.timing.last.Load(); last != 0 {
			ch <- l.timing.metric(t.duration, l.name)
			ch <- prometheus.MustNewConstMetric(t.last, prometheus.GaugeValue, float64(last), l.name)
		}
	}
}
