// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"k8s.io/component-base/metrics"
)

// plainTiming is a timing with the Prometheus library's own means.
type plainTiming struct {
	duration *metrics.HistogramVec
	last     *metrics.GaugeVec
}

func newPlainTiming() *plainTiming {
	return &plainTiming{
		metrics.NewHistogramVec(&metrics.HistogramOpts{
			Namespace: "metrics_server", Subsystem: "kubelet", Name: "request_duration_seconds",
			Help: "Duration of requests to Kubelet API in seconds", Buckets: metrics.DefBuckets,
		}, []string{"node"}),
		metrics.NewGaugeVec(&metrics.GaugeOpts{
			Namespace: "metrics_server", Subsystem: "kubelet", Name: "last_request_time_seconds",
			Help: "Time of last request performed to Kubelet API since unix epoch in seconds",
		}, []string{"node"}),
	}
}

// TestTiming holds that timings are shown as the Prometheus library shows them.
func TestTiming(t *testing.T) {
	plain := newPlainTiming()
	want := metrics.NewKubeRegistry()
	want.MustRegister(plain.duration, plain.last)
	loops := []*loop{{name: "a"}, {name: "b"}, {name: "never asked"}}
	got := metrics.NewKubeRegistry()
	got.RawMustRegister(newTimings(func() []*loop { return loops }))

	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		l := loops[random.IntN(2)]
		took := time.Duration(random.ExpFloat64() * float64(time.Second))
		if random.IntN(4) == 0 { // Exactly at a bound.
			took = time.Duration(metrics.DefBuckets[random.IntN(len(metrics.DefBuckets))] * float64(time.Second))
		}
		at := time.Unix(1_800_000_000+random.Int64N(1000), 0)
		l.timing.add(took, at)
		plain.duration.WithLabelValues(l.name).Observe(took.Seconds())
		plain.last.WithLabelValues(l.name).Set(float64(at.Unix()))
	}
	if got, want := shown(t, got), shown(t, want); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// shown is what a registry shows.
func shown(t *testing.T, registry metrics.KubeRegistry) string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

// BenchmarkTiming compares what a node's timing takes, to add to, and in memory,
// with what the Prometheus library's takes.
func BenchmarkTiming(b *testing.B) {
	const nodes = 20_000
	at := time.Unix(1_800_000_000, 0)
	b.Run("own", func(b *testing.B) {
		before, _ := inUse()
		timings := make([]timing, nodes)
		after, _ := inUse()
		for i := 0; b.Loop(); i++ {
			timings[i%nodes].add(3*time.Millisecond, at)
		}
		b.ReportMetric(float64(after-before)/nodes, "B/node")
	})
	b.Run("prometheus", func(b *testing.B) {
		registry := metrics.NewKubeRegistry()
		plain := newPlainTiming()
		registry.MustRegister(plain.duration, plain.last)
		before, _ := inUse()
		durations, lasts := make([]metrics.ObserverMetric, nodes), make([]metrics.GaugeMetric, nodes)
		for i := range nodes {
			name := fmt.Sprint("node-", i)
			durations[i], lasts[i] = plain.duration.WithLabelValues(name), plain.last.WithLabelValues(name)
		}
		after, _ := inUse()
		for i := 0; b.Loop(); i++ {
			durations[i%nodes].Observe(0.003)
			lasts[i%nodes].Set(float64(at.Unix()))
		}
		b.ReportMetric(float64(after-before)/nodes, "B/node")
	})
}
