// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/rules"
)

// evaluationMetrics are the self-metrics of rules. Their label rule is the name of
// one that is in force, so what is gone from the file is gone from them; they are
// read off whenever they are asked for.
type evaluationMetrics struct {
	provider *rules.Provider

	evaluations, failures, shared, omitted, duration, kept *prometheus.Desc
}

func newEvaluationMetrics(provider *rules.Provider) *evaluationMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("metrics_apiserver_rule_"+name, "[ALPHA] "+help, labels, nil)
	}
	return &evaluationMetrics{
		provider:    provider,
		evaluations: desc("evaluations_total", "Number of evaluations of a rule that gave a result.", "rule"),
		failures:    desc("evaluation_failures_total", "Number of times that there was no result of a rule, by reason.", "rule", "reason"),
		shared:      desc("shared_results_total", "Number of requests that were answered with a result that was there, or was being made.", "rule"),
		omitted:     desc("omitted_values_total", "Number of objects, or series of an external metric, that had no value when they were asked for, by reason.", "rule", "reason"),
		duration:    desc("evaluation_duration_seconds", "How long evaluations of a rule took.", "rule"),
		kept:        desc("kept_results", "Number of results that are kept, or being made."),
	}
}

// Describe is prometheus.Collector's.
func (m *evaluationMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.evaluations, m.failures, m.shared, m.omitted, m.duration, m.kept} {
		ch <- d
	}
}

// Collect is prometheus.Collector's.
func (m *evaluationMetrics) Collect(ch chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for _, s := range m.provider.Stats() {
		count(m.evaluations, s.Evaluations, s.Rule)
		count(m.shared, s.Shared, s.Rule)
		for reason, n := range s.Failures {
			count(m.failures, n, s.Rule, reason)
		}
		for reason, n := range s.Omitted {
			count(m.omitted, n, s.Rule, reason)
		}
		cumulative, all := map[float64]uint64{}, uint64(0)
		for i, bound := range rules.DurationBounds() {
			all += s.Took[i]
			cumulative[bound] = all
		}
		all += s.Took[len(s.Took)-1]
		ch <- prometheus.MustNewConstHistogram(m.duration, all, s.Seconds, cumulative, s.Rule)
	}
	ch <- prometheus.MustNewConstMetric(m.kept, prometheus.GaugeValue, float64(m.provider.Kept()))
}
