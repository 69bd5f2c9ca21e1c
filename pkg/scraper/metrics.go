// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"fmt"
	"time"

	"k8s.io/component-base/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// scrapeMetrics are the metrics of all scrapes. The four families of the prefix
// metrics_server_ have names, labels and buckets of metrics-server, because
// dashboards and alerts ask for them. Series with a node as their label are
// deleted with it.
type scrapeMetrics struct {
	requests *metrics.CounterVec
	tick     *metrics.Histogram
	// succeeded and failed are of requests.
	succeeded, failed metrics.CounterMetric

	failures       *metrics.CounterVec
	summaries      *metrics.CounterVec
	refusedSeries  *metrics.CounterVec
	refusedSamples *metrics.CounterVec
	bodyBytes      *metrics.Counter
	clockOffset    *metrics.GaugeVec

	inputRequests        *metrics.CounterVec
	inputBytes           *metrics.CounterVec
	refusedInputSeries   *metrics.CounterVec
	refusedInputReadings *metrics.CounterVec

	seriesSamples  *metrics.CounterVec
	seriesFailures *metrics.CounterVec
	seriesSeconds  *metrics.CounterVec
	seriesOpened   *metrics.CounterVec
	refusedLabeled *metrics.CounterVec
	seriesPanics   *metrics.Counter
}

// newMetrics makes and registers the metrics.
func newMetrics(registry metrics.KubeRegistry, resolution time.Duration) (*scrapeMetrics, error) {
	const compat, own = "metrics_server", "metrics_apiserver"
	counters := func(name, help string, labels ...string) *metrics.CounterVec {
		return metrics.NewCounterVec(&metrics.CounterOpts{Namespace: own, Subsystem: "scrape", Name: name, Help: help}, labels)
	}
	m := &scrapeMetrics{
		requests: metrics.NewCounterVec(&metrics.CounterOpts{
			Namespace: compat, Subsystem: "kubelet", Name: "request_total",
			Help: "Number of requests sent to Kubelet API",
		}, []string{"success"}),
		// There is no cycle over all nodes here: a tick is one scrape of one
		// node, from the request to the commit.
		tick: metrics.NewHistogram(&metrics.HistogramOpts{
			Namespace: compat, Subsystem: "manager", Name: "tick_duration_seconds",
			Help: "The total time spent collecting and storing metrics in seconds.", Buckets: tickBuckets(resolution),
		}),
		failures:       counters("failures_total", "Failed scrapes by reason.", "reason"),
		summaries:      counters("summary_requests_total", "Requests for /stats/summary by result: ok, refused (the right is missing) or failed.", "result"),
		refusedSeries:  counters("refused_series_total", "Series of kubelets' answers that were not taken, by reason.", "reason"),
		refusedSamples: counters("refused_samples_total", "Samples that the store did not take, by reason.", "reason"),
		bodyBytes: metrics.NewCounter(&metrics.CounterOpts{
			Namespace: own, Subsystem: "scrape", Name: "body_bytes_total", Help: "Bytes of kubelets' answers, after decompression.",
		}),
		clockOffset: metrics.NewGaugeVec(&metrics.GaugeOpts{
			Namespace: own, Subsystem: "scrape", Name: "clock_offset_seconds",
			Help: "Our clock less the node's, for nodes whose clock is more than 2 s off.",
		}, []string{"node"}),

		inputRequests:        counters("input_requests_total", "Requests for the sources of custom metrics by result: ok, refused (the right is missing) or failed.", "source", "result"),
		inputBytes:           counters("input_body_bytes_total", "Bytes of the answers of the sources of custom metrics, after decompression.", "source"),
		refusedInputSeries:   counters("refused_input_series_total", "Series of the sources of custom metrics that were not taken, by reason.", "reason"),
		refusedInputReadings: counters("refused_input_readings_total", "Readings for custom metrics that the store did not take, by reason.", "reason"),

		seriesSamples:  counters("series_samples_total", "Samples of labelled series that were given to consumers, by source; one that two consumers take counts twice.", "source"),
		seriesFailures: counters("series_decode_failures_total", "Answers that could not be read as labelled series, by source.", "source"),
		seriesSeconds:  counters("series_seconds_total", "Time spent on reading labelled series, and in their consumers, by source.", "source"),
		seriesOpened:   counters("series_opened_total", "Labelled series that were new to an answer, by source.", "source"),
		refusedLabeled: counters("refused_labelled_series_total", "Lines that were not taken as labelled series, by reason.", "reason"),
		seriesPanics: metrics.NewCounter(&metrics.CounterOpts{
			Namespace: own, Subsystem: "scrape", Name: "series_panics_total", Help: "Times that a consumer of labelled series panicked, which is a bug.",
		}),
	}
	for _, metric := range []metrics.Registerable{
		m.requests, m.tick,
		m.failures, m.summaries, m.refusedSeries, m.refusedSamples, m.bodyBytes, m.clockOffset,
		m.inputRequests, m.inputBytes, m.refusedInputSeries, m.refusedInputReadings,
		m.seriesSamples, m.seriesFailures, m.seriesSeconds, m.seriesOpened, m.refusedLabeled, m.seriesPanics,
	} {
		if err := registry.Register(metric); err != nil {
			return nil, fmt.Errorf("register metric %s: %w", metric.FQName(), err)
		}
	}
	// A counter that is there from the start shows its first increase.
	m.succeeded, m.failed = m.requests.WithLabelValues("true"), m.requests.WithLabelValues("false")
	for _, reason := range reasons() {
		m.failures.WithLabelValues(string(reason))
	}
	for _, result := range []string{"ok", "refused", "failed"} {
		m.summaries.WithLabelValues(result)
	}
	for reason := range kubelet.Reasons {
		m.refusedSeries.WithLabelValues(reason.String())
		m.refusedInputSeries.WithLabelValues(reason.String())
		m.refusedLabeled.WithLabelValues(reason.String())
	}
	for source := range series.Sources {
		for _, v := range []*metrics.CounterVec{m.seriesSamples, m.seriesFailures, m.seriesSeconds, m.seriesOpened} {
			v.WithLabelValues(source.String())
		}
	}
	for reason := range storage.Refusals {
		m.refusedSamples.WithLabelValues(reason.String())
		m.refusedInputReadings.WithLabelValues(reason.String())
	}
	for source := range input.Sources {
		m.inputBytes.WithLabelValues(source.String())
		for _, result := range []string{"ok", "refused", "failed"} {
			m.inputRequests.WithLabelValues(source.String(), result)
		}
	}
	return m, nil
}

// tickBuckets are metrics-server's: the default ones, and the resolution with
// some around it.
func tickBuckets(resolution time.Duration) []float64 {
	buckets := append([]float64(nil), metrics.DefBuckets...)
	last, r := buckets[len(buckets)-1], resolution.Seconds()
	if r > last {
		return append(buckets, last+(r-last)/2, r, 1.5*r, 2*r)
	}
	for i, bucket := range buckets {
		if r > bucket {
			continue
		}
		nearBelow := i > 0 && r-buckets[i-1] < buckets[0]
		if bucket-r < buckets[0] || nearBelow {
			return buckets // One is near enough.
		}
		return append(append(append([]float64(nil), buckets[:i]...), r), buckets[i:]...)
	}
	return buckets
}

// forget deletes the series of a node.
func (m *scrapeMetrics) forget(name string) {
	m.clockOffset.DeleteLabelValues(name)
}

// offset shows a node's offset, or nothing where it is 0.
func (m *scrapeMetrics) offset(name string, offset storage.Millis) {
	if offset == 0 {
		m.clockOffset.DeleteLabelValues(name)
		return
	}
	m.clockOffset.WithLabelValues(name).Set(offset.Duration().Seconds())
}

// refused counts what of an answer was not taken.
func (m *scrapeMetrics) refused(stats *kubelet.Stats, result *storage.CommitResult) {
	countRefused(m.refusedSeries, m.refusedSamples, stats, &result.Refused)
}

// refusedInputs counts what of an answer of a source of inputs was not taken.
func (m *scrapeMetrics) refusedInputs(stats *kubelet.Stats, result *input.CommitResult) {
	countRefused(m.refusedInputSeries, m.refusedInputReadings, stats, &result.Refused)
}

// series counts what of an answer was read as labelled series.
func (m *scrapeMetrics) series(source series.Source, stats *kubelet.SeriesStats, took time.Duration, failed bool) {
	m.seriesSeconds.WithLabelValues(source.String()).Add(took.Seconds())
	if failed {
		m.seriesFailures.WithLabelValues(source.String()).Inc()
		return
	}
	m.seriesSamples.WithLabelValues(source.String()).Add(float64(stats.Samples))
	if stats.Opened > 0 {
		m.seriesOpened.WithLabelValues(source.String()).Add(float64(stats.Opened))
	}
	for reason, n := range stats.Refused {
		if n > 0 {
			m.refusedLabeled.WithLabelValues(kubelet.Reason(reason).String()).Add(float64(n))
		}
	}
}

func countRefused(lines, samples *metrics.CounterVec, stats *kubelet.Stats, refused *[storage.Refusals]int) {
	for reason, n := range stats.Refused {
		if n > 0 {
			lines.WithLabelValues(kubelet.Reason(reason).String()).Add(float64(n))
		}
	}
	for reason, n := range refused {
		if n > 0 {
			samples.WithLabelValues(storage.Refusal(reason).String()).Add(float64(n))
		}
	}
}
