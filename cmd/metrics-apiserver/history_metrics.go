// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"k8s.io/component-base/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/history"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// seriesMetrics are the self-metrics of what is kept of labelled series: in rings,
// for rules, and in the history. They are read off whenever they are asked for.
type seriesMetrics struct {
	metrics.BaseStableCollector
	recent  *series.Recent
	history *history.Store
	figures []figure
}

// figure is one metric.
type figure struct {
	desc *metrics.Desc
	kind metrics.ValueType
	of   func(r *series.RecentStats, h *history.Stats, now storage.Millis) float64
}

func newSeriesMetrics(recent *series.Recent, past *history.Store) *seriesMetrics {
	m := &seriesMetrics{recent: recent, history: past}
	add := func(kind metrics.ValueType, name, help string, of func(r *series.RecentStats, h *history.Stats, now storage.Millis) float64) {
		m.figures = append(m.figures, figure{metrics.NewDesc("metrics_apiserver_"+name, help, nil, nil, metrics.ALPHA, ""), kind, of})
	}
	ring := func(kind metrics.ValueType, name, help string, of func(r *series.RecentStats) float64) {
		add(kind, "recent_"+name, help, func(r *series.RecentStats, _ *history.Stats, _ storage.Millis) float64 { return of(r) })
	}
	older := func(kind metrics.ValueType, name, help string, of func(h *history.Stats) float64) {
		add(kind, "history_"+name, help, func(_ *series.RecentStats, h *history.Stats, _ storage.Millis) float64 { return of(h) })
	}
	const gauge, counter = metrics.GaugeValue, metrics.CounterValue
	ring(gauge, "series", "Series that rules read, with their samples.", func(r *series.RecentStats) float64 { return float64(r.Series) })
	ring(gauge, "bytes", "Memory that they take, about.", func(r *series.RecentStats) float64 { return float64(r.Bytes) })
	ring(gauge, "max_bytes", "Memory that they may take.", func(r *series.RecentStats) float64 { return float64(r.MaxBytes) })
	ring(counter, "samples_total", "Samples taken in.", func(r *series.RecentStats) float64 { return float64(r.Samples) })
	ring(counter, "refused_series_total", "Series for which there was no memory.", func(r *series.RecentStats) float64 { return float64(r.Refused) })

	older(gauge, "bytes", "Memory that history takes beside Go's heap.", func(h *history.Stats) float64 { return float64(h.Bytes) })
	older(gauge, "max_bytes", "Memory that it may take there.", func(h *history.Stats) float64 { return float64(h.MaxBytes) })
	older(gauge, "overhead_bytes", "Memory that it takes on the heap: names, and blocks that are not full.", func(h *history.Stats) float64 { return float64(h.Overhead) })
	older(gauge, "series", "Series that it has anything of.", func(h *history.Stats) float64 { return float64(h.Series) })
	add(gauge, "history_reach_seconds", "How far back nine of ten of the sources that are read have everything.", func(_ *series.RecentStats, h *history.Stats, now storage.Millis) float64 {
		if h.Since == 0 {
			return 0
		}
		return max(0, (now - h.Since).Duration().Seconds())
	})
	older(counter, "samples_total", "Samples taken in.", func(h *history.Stats) float64 { return float64(h.Samples) })
	older(counter, "written_bytes_total", "Bytes that they were written as.", func(h *history.Stats) float64 { return float64(h.Written) })
	older(counter, "hits_total", "Blocks that were looked for and there.", func(h *history.Stats) float64 { return float64(h.Hits) })
	older(counter, "misses_total", "Blocks that were looked for and overwritten.", func(h *history.Stats) float64 { return float64(h.Misses) })
	older(counter, "shed_total", "Times that history was given up because memory was scarce.", func(h *history.Stats) float64 { return float64(h.Sheds) })
	return m
}

// DescribeWithStability is metrics.StableCollector's.
func (m *seriesMetrics) DescribeWithStability(ch chan<- *metrics.Desc) {
	for _, f := range m.figures {
		ch <- f.desc
	}
}

// CollectWithStability is metrics.StableCollector's.
func (m *seriesMetrics) CollectWithStability(ch chan<- metrics.Metric) {
	recent, past, now := m.recent.Stats(), m.history.Stats(), storage.MillisOf(time.Now())
	for _, f := range m.figures {
		ch <- metrics.NewLazyConstMetric(f.desc, f.kind, f.of(&recent, &past, now))
	}
}
