// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// scraped is a provider on real stores with two scrapes of every pod in them: a
// namespace of that many pods on each of some nodes, in workloads of 10.
func scraped(tb testing.TB, hosts, podsEach int) *Provider {
	tb.Helper()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	options := storage.Options{Resolution: 24 * time.Hour} // nothing is stale before the benchmark's end
	nodes, pods := objects.NewNodes(nil), objects.NewPods()
	options.FindPod = pods.Find
	usage, err := storage.New(options)
	must(err)
	options.FindPod = nil
	inputs, err := input.New(options)
	must(err)
	inputs.Keep(input.All())
	demand, err := NewDemand([]string{AllMetrics}, func(input.Set) {})
	must(err)
	demand.wanted(time.Now().Add(-time.Hour))

	hostList, podList := []any{}, []any{}
	keys := make([][]storage.ContainerKey, hosts)
	for h := range hosts {
		host := fmt.Sprintf("n-%02d", h)
		hostList = append(hostList, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: host}})
		for i := range podsEach {
			workload := fmt.Sprintf("workload-%d", (h*podsEach+i)/10)
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("%s-6d4b75cb6d-%02d%03d", workload, h, i), Labels: map[string]string{
					"app.kubernetes.io/name": workload, "app.kubernetes.io/part-of": "shop", "pod-template-hash": "6d4b75cb6d",
				}},
				Spec: corev1.PodSpec{NodeName: host, Containers: []corev1.Container{{Name: "c"}}},
			}
			requesting("250m", "1Gi")(pod)
			for _, c := range []string{"server", "sidecar"} {
				pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{Name: c, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}})
				keys[h] = append(keys[h], storage.ContainerKey{Namespace: "shop", Pod: pod.Name, Container: c})
			}
			podList = append(podList, pod)
		}
	}
	must(nodes.Replace(hostList, ""))
	must(pods.Replace(podList, ""))

	for h := range hosts {
		host := fmt.Sprintf("n-%02d", h)
		layout, _ := storage.NewLayout(keys[h])
		samples := make([]storage.Sample, len(keys[h]))
		for round, age := range []time.Duration{20 * time.Second, 5 * time.Second} {
			when := storage.MillisOf(time.Now().Add(-age))
			for i := range samples {
				samples[i] = storage.Sample{Start: when - 3_600_000, Time: when, CPU: samples[i].CPU + 1e9, Memory: 1 << 20, Has: storage.HasCPU | storage.HasMemory}
			}
			_, err := usage.Commit(&storage.Batch{Node: host, Sent: when, Received: when, Layout: layout, Samples: samples})
			must(err)
			for source := range input.Sources {
				_, err := inputs.Commit(batchOf(host, source, layout, when, round))
				must(err)
			}
		}
	}
	return New(Options{Usage: usage, Inputs: inputs, Nodes: nodes, Pods: pods, Demand: demand})
}

// batchOf is an answer of a source with all of its inputs.
func batchOf(host string, source input.Source, layout *storage.Layout, when storage.Millis, round int) *input.Batch {
	b := &input.Batch{Node: host, Source: source, Sent: when, Received: when, Inputs: source.Of(), Layout: layout}
	for id := range source.Of().Each() {
		rows := 0
		switch input.Table()[id].Level {
		case input.OfPod:
			rows = len(layout.Pods)
		case input.OfContainer:
			rows = len(layout.Containers)
		}
		for range rows {
			b.Columns[id].Times = append(b.Columns[id].Times, when)
			b.Columns[id].Values = append(b.Columns[id].Values, uint64(1_000_000*round+1))
		}
	}
	return b
}

// benchmarked are one metric of each kind of formula.
func benchmarked() map[string]string {
	return map[string]string{
		"counter of pods":       receive,
		"gauge of containers":   "threads",
		"counter of containers": "oom_kills_per_second",
		"quotient":              "cpu_throttled_periods_ratio",
		"usage":                 "cpu_usage_cores",
		"share":                 "cpu_usage_request_ratio",
	}
}

// BenchmarkCustom is what one HPA asks every 15 s: a metric of 10 pods out of a
// namespace of 30. 1,000 HPAs ask 67 times a second.
func BenchmarkCustom(b *testing.B) {
	p := scraped(b, 1, 30)
	for name, metric := range benchmarked() {
		b.Run(name, func(b *testing.B) {
			q := query("pods", "shop", custommetrics.AllObjects, "", metric)
			q.Selector = labels.SelectorFromSet(labels.Set{"app.kubernetes.io/name": "workload-1"})
			a := custommetrics.Answer{}
			b.ReportAllocs()
			for b.Loop() {
				a.Values = a.Values[:0]
				if err := p.Custom(b.Context(), q, &a); err != nil || len(a.Values) != 10 {
					b.Fatal(err, a.Values)
				}
			}
		})
	}
}

// TestOnRealStores: each kind of formula has a value of each pod.
func TestOnRealStores(t *testing.T) {
	p := scraped(t, 1, 30)
	for name, metric := range benchmarked() {
		var a custommetrics.Answer
		if err := p.Custom(t.Context(), query("pods", "shop", "*", "", metric), &a); err != nil || len(a.Values) != 30 {
			t.Errorf("%s: %v, %+v", name, err, a)
		}
		a.Values = nil
		if err := p.Custom(t.Context(), query("namespaces", "", "shop", "", metric), &a); err != nil || len(a.Values) != 1 {
			t.Errorf("%s: %v, %+v", name, err, a)
		}
	}
}
