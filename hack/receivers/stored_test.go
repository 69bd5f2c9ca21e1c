// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// TestStored has Prometheus 3 show what 2.0 says beside samples: types and units,
// which become labels, and start timestamps, which become samples of 0 at the start
// of each run of a container.
func TestStored(t *testing.T) {
	t.Parallel()
	to := newPrometheus(t, "--enable-feature=type-and-unit-labels,created-timestamp-zero-ingestion")
	s, err := remotewrite.New(options(t.TempDir(), to.write))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	receiver := s.Receiver("n1", series.Cadvisor)
	open := func(meta *series.Metadata) series.Handle {
		return receiver.Open(series.Labels{
			{Name: "__name__", Value: meta.Family}, {Name: "container", Value: "app"}, {Name: "id", Value: "/pod1/app"}, {Name: "pod", Value: "web"},
		}, meta)
	}
	start := open(&series.Metadata{Family: "container_start_time_seconds", Type: series.Gauge, Unit: "seconds"})
	cpu := open(&series.Metadata{Family: "container_cpu_usage_seconds_total", Type: series.Counter, Help: "CPU time.", Unit: "seconds"})
	memory := open(&series.Metadata{Family: "container_memory_working_set_bytes", Type: series.Gauge})

	began := storage.MillisOf(time.Now().Add(-10 * time.Minute).Truncate(time.Second))
	second := func(n int) int64 { return int64(began) + int64(n)*1000 }
	// The container ran before it was seen, and was started again once.
	for _, scrape := range []struct{ at, start, cpu int }{{60, 10, 7}, {75, 10, 9}, {90, 80, 2}, {105, 80, 3}} {
		at := storage.Millis(second(scrape.at))
		receiver.Commit(&series.Batch{
			Node: "n1", Source: series.Cadvisor, Sent: at, Received: at + 20,
			Handles: []series.Handle{start, cpu, memory}, Times: []storage.Millis{at, at, at},
			Values: []float64{float64(second(scrape.start)) / 1000, float64(scrape.cpu), 1 << 20},
		}, nil)
	}
	waitFor(t, func() bool { state := s.State(); return state.Pending == 0 && state.Queue.Records == 0 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	common := map[string]string{"container": "app", "id": "/pod1/app", "pod": "web", "job": "kubelet", "node": "n1"}
	of := func(name, kind, unit string) string {
		all := map[string]string{"__name__": name, "__type__": kind, "__unit__": unit}
		maps.Copy(all, common)
		return key(all)
	}
	got := to.read(t)
	for name, want := range map[string][]point{
		of("container_cpu_usage_seconds_total", "counter", "seconds"): {{second(10), 0}, {second(60), 7}, {second(75), 9}, {second(80), 0}, {second(90), 2}, {second(105), 3}},
		// What is no counter has no start.
		of("container_memory_working_set_bytes", "gauge", ""): {{second(60), 1 << 20}, {second(75), 1 << 20}, {second(90), 1 << 20}, {second(105), 1 << 20}},
	} {
		if !slices.Equal(got[name], want) {
			t.Errorf("%s:\n has %v,\nwant %v", name, got[name], want)
		}
	}
	if t.Failed() {
		t.Log(fmt.Sprint(got))
	}
}
