// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/component-base/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// gather is what a manager's registry shows.
func gather(t *testing.T, m *Manager) string {
	t.Helper()
	return shown(t, m.options.Registry)
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Registry: metrics.NewKubeRegistry()})
		r.node("node-1")
		bad := r.node("node-2")
		bad.SetFault(kubelettest.Fault{Extra: []byte("container_cpu_usage_seconds_total{} NaN\n")})
		r.manager.Set(target("node-1"))
		r.manager.Set(target("node-2"))
		r.manager.Set(target("node-3"))
		r.run()
		time.Sleep(time.Minute)
		text := gather(t, r.manager)
		for _, want := range []string{
			`metrics_server_kubelet_request_duration_seconds_bucket{node="node-1",le="10"}`,
			`metrics_server_kubelet_last_request_time_seconds{node="node-1"}`,
			`metrics_server_kubelet_request_total{success="true"}`,
			`metrics_server_kubelet_request_total{success="false"}`,
			`metrics_server_manager_tick_duration_seconds_bucket{le="12.5"}`,
			`metrics_apiserver_scrape_targets{state="up"} 2`,
			`metrics_apiserver_scrape_targets{state="down"} 1`,
			`metrics_apiserver_scrape_failures_total{reason="dial"}`,
			`metrics_apiserver_scrape_failures_total{reason="too_large"} 0`,
			`metrics_apiserver_scrape_summary_requests_total{result="ok"} 2`,
			`metrics_apiserver_scrape_insecure_tls 0`,
			`metrics_apiserver_scrape_connections_total 2`,
			`metrics_apiserver_scrape_body_bytes_in_flight 0`,
			`metrics_apiserver_scrape_bound_reached_total{bound="body_bytes"} 0`,
			`metrics_apiserver_scrape_bound_reached_total{bound="series"} 0`,
			`metrics_apiserver_scrape_bound_reached_total{bound="containers"} 0`,
			`metrics_apiserver_scrape_refused_series_total{reason="labels"}`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in:\n%s", want, text)
			}
		}
	})
}

func TestTickBuckets(t *testing.T) {
	def := metrics.DefBuckets
	for resolution, want := range map[time.Duration][]float64{
		10 * time.Second: def,
		15 * time.Second: append(slices.Clone(def), 12.5, 15, 22.5, 30),
		60 * time.Second: append(slices.Clone(def), 35, 60, 90, 120),
		7 * time.Second:  append(append(slices.Clone(def[:len(def)-1]), 7), 10),
	} {
		if got := tickBuckets(resolution); !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", resolution, got, want)
		}
	}
}

func TestOptionsValidate(t *testing.T) {
	for name, o := range map[string]Options{
		"resolution": {Resolution: time.Millisecond},
		"timeout":    {RequestTimeout: time.Minute},
		"negative":   {StartGap: -1},
	} {
		if err := o.Validate(); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if err := (Options{}).Validate(); err != nil {
		t.Error(err)
	}
}
