// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"k8s.io/component-base/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Metrics are the self-metrics of the API.
type Metrics struct {
	freshness *freshness
}

// NewMetrics registers the API's self-metrics. The family is metrics-server's,
// name, buckets and all, so that dashboards and alerts keep working.
func NewMetrics(register func(...metrics.Registerable)) *Metrics {
	m := &Metrics{
		freshness: newFreshness(&metrics.HistogramOpts{
			Name:           "metrics_server_api_metric_freshness_seconds",
			Help:           "Age of the samples that were served: the time of the answer less the item's timestamp.",
			Buckets:        metrics.ExponentialBuckets(1, 1.364, 20),
			StabilityLevel: metrics.ALPHA,
		}),
	}
	register(m.freshness)
	return m
}

// served counts one item served at the moment at.
func (m *Metrics) served(at, sample storage.Millis) {
	var one ages
	m.count(&one, at, sample)
	m.servedAll(&one)
}

// count counts in a one item to be served at the moment at. A sample that came in
// while the answer was made can be a little ahead of it.
func (m *Metrics) count(a *ages, at, sample storage.Millis) {
	if m != nil {
		m.freshness.count(a, max(0, at-sample))
	}
}

// servedAll counts the items of an answer.
func (m *Metrics) servedAll(a *ages) {
	if m != nil {
		m.freshness.add(a)
	}
}
