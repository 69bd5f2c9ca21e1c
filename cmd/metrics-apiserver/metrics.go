// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	apimetrics "k8s.io/apiserver/pkg/endpoints/metrics"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
	_ "k8s.io/component-base/metrics/prometheus/restclient" // client-go's own metrics

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// newRegistry is where our self-metrics are registered. The library's are in
// its global registry.
func newRegistry() metrics.KubeRegistry {
	apimetrics.Register()
	return metrics.NewKubeRegistry()
}

// metricsHandler serves our self-metrics and the library's.
func metricsHandler(own metrics.KubeRegistry) http.Handler {
	return metrics.HandlerFor(prometheus.Gatherers{legacyregistry.DefaultGatherer, own}, metrics.HandlerOpts{ErrorHandling: metrics.HTTPErrorOnError})
}

// storageMetrics are the store's self-metrics. The store knows nothing of
// metrics, so they are read off it whenever they are asked for.
type storageMetrics struct {
	metrics.BaseStableCollector
	store  *storage.Store
	points *metrics.Desc
}

func newStorageMetrics(store *storage.Store) *storageMetrics {
	return &storageMetrics{
		store: store,
		// metrics-server's name and label.
		points: metrics.NewDesc("metrics_server_storage_points", "Number of nodes and containers whose usage is held.", []string{"type"}, nil, metrics.ALPHA, ""),
	}
}

// DescribeWithStability is metrics.StableCollector's.
func (m *storageMetrics) DescribeWithStability(ch chan<- *metrics.Desc) { ch <- m.points }

// CollectWithStability is metrics.StableCollector's.
func (m *storageMetrics) CollectWithStability(ch chan<- metrics.Metric) {
	nodes, containers := m.store.Points()
	ch <- metrics.NewLazyConstMetric(m.points, metrics.GaugeValue, float64(nodes), "node")
	ch <- metrics.NewLazyConstMetric(m.points, metrics.GaugeValue, float64(containers), "container")
}
