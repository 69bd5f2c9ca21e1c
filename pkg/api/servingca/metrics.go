// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package servingca

import (
	"fmt"

	"k8s.io/component-base/metrics"
)

// keeperMetrics are the self-metrics of a Keeper.
type keeperMetrics struct {
	authority   *metrics.Gauge
	certificate *metrics.Gauge
	failures    *metrics.Counter
}

func newMetrics(registry metrics.KubeRegistry) (*keeperMetrics, error) {
	const namespace, subsystem = "metrics_apiserver", "serving_ca"
	m := &keeperMetrics{
		authority: metrics.NewGauge(&metrics.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "expiration_timestamp_seconds",
			Help: "When the CA that signs serving certificates expires, in seconds since 1970.",
		}),
		certificate: metrics.NewGauge(&metrics.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "certificate_expiration_timestamp_seconds",
			Help: "When this process's serving certificate expires, in seconds since 1970.",
		}),
		failures: metrics.NewCounter(&metrics.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "failures_total",
			Help: "Attempts to keep the CA, its bundle in the APIServices and the serving certificate that failed.",
		}),
	}
	for _, metric := range []metrics.Registerable{m.authority, m.certificate, m.failures} {
		if err := registry.Register(metric); err != nil {
			return nil, fmt.Errorf("register metric %s: %w", metric.FQName(), err)
		}
	}
	return m, nil
}
