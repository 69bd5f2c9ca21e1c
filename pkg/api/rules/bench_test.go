// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// BenchmarkEvaluate is a typical rule in a namespace of so many pods, of two
// containers each, with two minutes of samples. 1,000 HPAs at 15 s, each in a
// namespace of its own, are 67 evaluations a second.
func BenchmarkEvaluate(b *testing.B) {
	for _, pods := range []int{3, 30, 300} {
		w := newWorld(b, "n1")
		w.set(ofPods("keep", "sum by (pod) (rate(cpu[2m]) + rate(rx[2m]) + mem)"))
		start := storage.MillisOf(time.Now()) - 120_000
		feedBench(w, pods, start)
		for name, expr := range map[string]string{
			"rate":     "sum by (namespace, pod) (rate(rx[2m]))",
			"ratio":    "sum by (pod) (rate(cpu[2m])) / sum by (pod) (mem)",
			"workload": "sum by (workload) (rate(rx[2m]))",
			"total":    "sum(mem)",
		} {
			b.Run(fmt.Sprintf("%s/%d", name, pods), func(b *testing.B) {
				rule := ofNothing("m", expr, "a")
				compiled, err := Compile(rule)
				w.must(err)
				evaluator := NewEvaluator(w.recent, w.pods, time.Hour)
				b.ReportAllocs()
				for b.Loop() {
					result := evaluator.Evaluate(b.Context(), compiled, "a", start+121_000, 0)
					if result.Err != nil || len(result.Elements) == 0 || len(result.missing.inputs) > 0 {
						b.Fatalf("%+v", result)
					}
				}
			})
		}
	}
}

// feedBench makes pods of two containers each and gives them two minutes of
// samples.
func feedBench(w *world, pods int, start storage.Millis) {
	feedNamespaces(w, []string{"a"}, pods, start, "cpu", "mem", "rx")
}

// feedNamespaces makes that many pods of two containers in each namespace, all on
// n1, and gives them two minutes of samples of some metrics.
func feedNamespaces(w *world, namespaces []string, pods int, start storage.Millis, metrics ...string) {
	receiver := w.recent.Receiver("n1", series.Cadvisor)
	receiver.(series.Chooser).Generation() //nolint:forcetypeassert // It is one.
	batch := &series.Batch{Node: "n1", Source: series.Cadvisor}
	for _, namespace := range namespaces {
		for i := range pods {
			name := fmt.Sprintf("web-5d9c7b8f6d-%05d", i)
			w.pod(namespace, name, "web", ownedBy("ReplicaSet", "web-5d9c7b8f6d"), labelled("pod-template-hash", "5d9c7b8f6d"), begun(start.Time()))
			for _, container := range []string{"c", "proxy"} {
				for _, metric := range metrics {
					l := series.Labels{
						{Name: "__name__", Value: metric},
						{Name: "container", Value: container},
						{Name: "id", Value: "/kubepods/burstable/pod" + strings.Repeat(fmt.Sprint(i), 8) + container},
						{Name: "image", Value: "registry.example/shop/web@sha256:0123456789abcdef"},
						{Name: "namespace", Value: namespace},
						{Name: "pod", Value: name},
					}
					batch.Handles = append(batch.Handles, receiver.Open(l, &series.Metadata{}))
				}
			}
		}
	}
	batch.Times, batch.Values = make([]storage.Millis, len(batch.Handles)), make([]float64, len(batch.Handles))
	for at := start; at <= start+120_000; at += 15_000 {
		for i := range batch.Times {
			batch.Times[i], batch.Values[i] = at, float64(at-start)*float64(i+1)
		}
		batch.Sent, batch.Received = at, at
		receiver.Commit(batch, nil)
	}
}

// BenchmarkPrepared is what the engine's wish to have an expression parsed costs,
// with and without one that was parsed before.
func BenchmarkPrepared(b *testing.B) {
	const expr = `sum by (pod) (rate(container_cpu_usage_seconds_total{container=~"app|web.*"}[2m])) / sum by (pod) (container_memory_working_set_bytes)`
	for name, p := range map[string]parser.Parser{"parsed": newParser(), "prepared": &preparedParser{Parser: newParser()}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.ParseExpr(expr); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
