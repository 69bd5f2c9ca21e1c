// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

// direct asks our server itself, past the aggregation layer, and returns the
// status and the body. The administrator's certificate is good for it, too.
func (s *site) direct(t *testing.T, config *rest.Config, path string) (int, string) {
	t.Helper()
	config = rest.CopyConfig(config)
	config.Host = fmt.Sprintf("https://127.0.0.1:%d", s.port)
	config.TLSClientConfig.Insecure, config.TLSClientConfig.CAData, config.TLSClientConfig.CAFile = true, nil, ""
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, config.Host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// testSelf holds what our server says of itself: the probes' lines, which
// monitoring compares, and metrics-server's six families of metrics.
func testSelf(t *testing.T, s *site) {
	anonymous := rest.AnonymousClientConfig(s.config)
	for path, want := range map[string][]string{
		"/readyz?verbose": {
			"ping", "log", "poststarthook/max-in-flight-filter", "poststarthook/storage-object-count-tracker-hook",
			"metric-storage-ready", "metric-informer-sync", "metadata-informer-sync", "shutdown",
		},
		"/livez?verbose": {
			"ping", "log", "poststarthook/max-in-flight-filter", "poststarthook/storage-object-count-tracker-hook",
			"metric-collection-timely", "metadata-informer-sync",
		},
	} {
		status, body := s.direct(t, anonymous, path)
		var got []string
		for _, line := range regexp.MustCompile(`(?m)^\[\+\](\S+) ok$`).FindAllStringSubmatch(body, -1) {
			got = append(got, line[1])
		}
		if status != http.StatusOK || !slices.Equal(got, want) {
			t.Errorf("%s: %d\n%s\nwant the lines %v", path, status, body, want)
		}
	}
	// Not /version: Kubernetes' own role system:public-info-viewer has it read by
	// anybody, and our authorization is the cluster's.
	for _, path := range []string{"/metrics", "/apis", "/apis/metrics.k8s.io/v1beta1/pods", "/openapi/v2", "/debug/pprof/"} {
		if status, _ := s.direct(t, anonymous, path); status != http.StatusForbidden && status != http.StatusUnauthorized {
			t.Errorf("%s is answered %d to anybody", path, status)
		}
	}
	if status, _ := s.direct(t, s.config, "/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("profiles are answered %d without --profiling, want 404", status)
	}

	status, body := s.direct(t, s.config, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d: %s", status, body)
	}
	families := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (metrics_server_\S+) `).FindAllStringSubmatch(body, -1) {
		families[match[1]] = true
	}
	want := []string{
		"metrics_server_api_metric_freshness_seconds", "metrics_server_kubelet_last_request_time_seconds",
		"metrics_server_kubelet_request_duration_seconds", "metrics_server_kubelet_request_total",
		"metrics_server_manager_tick_duration_seconds", "metrics_server_storage_points",
	}
	if got := slices.Sorted(maps.Keys(families)); !slices.Equal(got, want) {
		t.Errorf("the families of the prefix metrics_server_ are %v, want %v", got, want)
	}
	for _, line := range []string{
		`metrics_server_kubelet_last_request_time_seconds{node="node-0"}`,
		`metrics_server_kubelet_request_duration_seconds_count{node="node-0"}`,
		`metrics_server_kubelet_request_total{success="true"}`,
		`metrics_server_storage_points{type="node"} 3`,
		`metrics_server_storage_points{type="container"} 14`,
		"apiserver_request_total{", "rest_client_requests_total{", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(body, line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
}

// noSeriesOf is nil where no series of a node is left.
func (s *site) noSeriesOf(t *testing.T, node string) error {
	t.Helper()
	if _, body := s.direct(t, s.config, "/metrics"); strings.Contains(body, `node="`+node+`"`) {
		return fmt.Errorf("/metrics still has series of %s", node)
	}
	return nil
}
