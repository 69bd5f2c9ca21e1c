// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/message"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// variants are the selectors of kubelets' series that kubernetes-mixin and
// kube-prometheus have.
func variants() map[string]string {
	return map[string]string{
		"mixin":           `job="kubelet"`,
		"kube-prometheus": `job="kubelet", metrics_path="/metrics/cadvisor"`,
	}
}

// TestMixin runs the recording rules of kubernetes-mixin, and what its dashboards
// ask for, in a real Prometheus over what our sink shipped of /metrics/resource,
// /metrics/cadvisor and /stats/summary of two nodes. Results are held against what
// the kubelets had told: there is nothing missing, and nothing is summed twice.
func TestMixin(t *testing.T) {
	text, err := os.ReadFile("testdata/kubernetes-mixin.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for variant, selector := range variants() {
		rules := strings.ReplaceAll(strings.ReplaceAll(string(text), "SELECTOR", selector), "VARIANT", variant)
		if err := os.WriteFile(filepath.Join(dir, variant+".yaml"), []byte(rules), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	prometheus := startPrometheus(t, "global: {evaluation_interval: 1s}\nrule_files: ["+filepath.Join(dir, "*.yaml")+"]\n")
	all, newest := readRecording(t)
	standIn(t, prometheus, all)
	shipRecording(t, prometheus+"/api/v1/write", newest)

	// What both documents have is there twice, so that it could be summed twice.
	for _, path := range []string{"/metrics/resource", "/metrics/cadvisor"} {
		if got := ask(t, prometheus, `count(container_cpu_usage_seconds_total{job="kubelet", metrics_path="`+path+`", container!=""})`); len(got) != 1 || got[0].value < 10 {
			t.Fatalf("%s: %v", path, got)
		}
	}
	awaitRules(t, prometheus)
	for variant, selector := range variants() {
		t.Run(variant, func(t *testing.T) {
			record := func(name string) string { return fmt.Sprintf("%s{variant=%q, cluster=%q}", name, variant, cluster) }
			cpu := record("node_namespace_pod_container:container_cpu_usage_seconds_total:sum_irate")
			inImages := filter(func(s *told) bool { return s.labels.Get("image") != "" })
			containers := []string{"namespace", "pod", "container"}
			want := sums(all, "container_cpu_usage_seconds_total", inImages, irate, containers...)

			hold(t, prometheus, cpu, containers, want)
			for _, metric := range []string{"working_set_bytes", "rss", "cache", "swap"} {
				name := "container_memory_" + metric
				hold(t, prometheus, record("node_namespace_pod_container:"+name), []string{"namespace", "pod", "container", "id"},
					sums(all, name, inImages, newestValue, "namespace", "pod", "container", "id"))
			}
			hold(t, prometheus, record("namespace:container_memory_usage_bytes:sum"), []string{"namespace"},
				sums(all, "container_memory_usage_bytes", inImages, newestValue, "namespace"))
			// Rates over five minutes are extrapolated: they are held against each other,
			// and their number against the truth.
			rates := record("node_namespace_pod_container:container_cpu_usage_seconds_total:sum_rate5m")
			if got := ask(t, prometheus, rates); len(got) != len(want) {
				t.Errorf("%d rates over 5 minutes, want %d", len(got), len(want))
			}
			byNamespace := map[string]float64{}
			for _, r := range ask(t, prometheus, "sum by (namespace) ("+rates+")") {
				byNamespace[key(map[string]string{"namespace": r.labels["namespace"]})] = r.value
			}
			hold(t, prometheus, record("namespace:container_cpu_usage_seconds_total:sum_rate"), []string{"namespace"}, byNamespace)

			// What its dashboards of clusters, namespaces and pods ask for.
			named := filter(func(s *told) bool { return s.labels.Get("container") != "" })
			both := filter(func(s *told) bool { return named(s) && inImages(s) })
			spaced := filter(func(s *told) bool { return s.labels.Get("namespace") != "" })
			onDisk := filter(func(s *told) bool { return named(s) && spaced(s) && strings.HasPrefix(s.labels.Get("device"), "/dev") })
			namespace, pod := []string{"namespace"}, []string{"namespace", "pod"}
			for _, q := range []struct {
				expression string
				by         []string
				want       map[string]float64
			}{
				{`sum by (namespace) (max by (cluster, namespace, pod, container) (` + cpu + `))`, namespace, sums(all, "container_cpu_usage_seconds_total", inImages, irate, namespace...)},
				{`sum by (namespace) (max by (cluster, namespace, pod, container) (container_memory_rss{SELECTOR, container!=""}))`, namespace, sums(all, "container_memory_rss", named, newestValue, namespace...)},
				{`sum by (namespace, pod) (container_memory_working_set_bytes{SELECTOR, container!="", image!=""})`, pod, sums(all, "container_memory_working_set_bytes", both, newestValue, pod...)},
				{`sum by (namespace, pod) (container_memory_cache{SELECTOR, container!=""})`, pod, sums(all, "container_memory_cache", named, newestValue, pod...)},
				{`sum by (namespace) (irate(container_network_receive_bytes_total{SELECTOR, namespace=~".+"}[5m]))`, namespace, sums(all, "container_network_receive_bytes_total", spaced, irate, namespace...)},
				{`sum by (namespace, pod) (irate(container_network_transmit_packets_total{SELECTOR, namespace=~".+"}[5m]))`, pod, sums(all, "container_network_transmit_packets_total", spaced, irate, pod...)},
				{`sum by (namespace, pod) (irate(container_cpu_cfs_periods_total{SELECTOR, container!=""}[5m]))`, pod, sums(all, "container_cpu_cfs_periods_total", named, irate, pod...)},
				{`sum by (namespace) (irate(container_fs_writes_total{SELECTOR, container!="", device=~"(/dev.+)|sd.+", namespace!=""}[5m]))`, namespace, sums(all, "container_fs_writes_total", onDisk, irate, namespace...)},
			} {
				hold(t, prometheus, strings.ReplaceAll(q.expression, "SELECTOR", selector+`, cluster="`+cluster+`"`), q.by, q.want)
			}
		})
	}
	// Of volumes, its alerts and dashboards read what the kubelet's own /metrics has.
	claims := `kubelet_volume_stats_available_bytes{job="kubelet", namespace=~".*", metrics_path="/metrics"} / kubelet_volume_stats_capacity_bytes{job="kubelet", namespace=~".*", metrics_path="/metrics"}`
	if got := ask(t, prometheus, claims); len(got) != 1 || got[0].labels["persistentvolumeclaim"] != "data" || got[0].value <= 0 || got[0].value >= 1 {
		t.Errorf("%s is %v", claims, got)
	}
}

// awaitRules returns when all rules were evaluated after it was called.
func awaitRules(t *testing.T, prometheus string) {
	t.Helper()
	called := time.Now()
	waitFor(t, func() bool {
		var answer struct {
			Data struct {
				Groups []struct{ LastEvaluation time.Time }
			}
		}
		if err := json.Unmarshal(get(t, prometheus+"/api/v1/rules"), &answer); err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(answer.Data.Groups, func(g struct{ LastEvaluation time.Time }) bool { return g.LastEvaluation.Before(called) })
	})
}

// standIn gives a Prometheus what kube-state-metrics would: on which node each pod
// runs. Our server does not ship that.
func standIn(t *testing.T, prometheus string, all []*told) {
	t.Helper()
	symbols := message.NewSymbols()
	encoder := message.NewEncoder(symbols)
	encoder.Begin(message.V1)
	there := map[[2]string]bool{}
	for _, s := range all {
		namespace, pod := s.labels.Get("namespace"), s.labels.Get("pod")
		if pod == "" || there[[2]string{namespace, pod}] {
			continue
		}
		there[[2]string{namespace, pod}] = true
		var refs []uint32
		for _, text := range []string{"__name__", "kube_pod_info", "cluster", cluster, "job", "kube-state-metrics", "namespace", namespace, "node", s.node, "pod", pod} {
			refs = append(refs, symbols.Use(text))
		}
		one := message.NewSeries(symbols, refs, message.Gauge, "", "")
		encoder.Append(&one, 1, time.Now().UnixMilli(), 0)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, prometheus+"/api/v1/write", bytes.NewReader(encoder.AppendBody(nil)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Encoding", "snappy")
	request.Header.Set("Content-Type", message.V1.ContentType())
	request.Header.Set("X-Prometheus-Remote-Write-Version", message.V1.Version())
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode/100 != 2 || len(there) == 0 {
		t.Fatalf("kube_pod_info of %d pods: %s", len(there), answer.Status)
	}
}

type filter func(*told) bool

// newestValue is a series' value now; it has none once an answer lacked it.
func newestValue(s *told) (float64, bool) {
	if s.last < scrapes || len(s.points) == 0 {
		return 0, false
	}
	return s.points[len(s.points)-1].v, true
}

// irate is the rate of a counter by its two newest samples, which Prometheus gives
// also of a series that has ended.
func irate(s *told) (float64, bool) {
	n := len(s.points)
	if n < 2 {
		return 0, false
	}
	a, b := s.points[n-2], s.points[n-1]
	increase := b.v - a.v
	if increase < 0 {
		increase = b.v
	}
	return increase / (float64(b.t-a.t) / 1000), true
}

// sums is the truth: the sums of what /metrics/cadvisor told of a metric, by labels.
func sums(all []*told, name string, in filter, value func(*told) (float64, bool), by ...string) map[string]float64 {
	out := map[string]float64{}
	for _, s := range all {
		if s.source != series.Cadvisor || s.labels.Get("__name__") != name || !in(s) {
			continue
		}
		v, ok := value(s)
		if !ok {
			continue
		}
		set := map[string]string{}
		for _, label := range by {
			set[label] = s.labels.Get(label)
		}
		out[key(set)] += v
	}
	return out
}

// hold compares a query's result with what it should be.
func hold(t *testing.T, prometheus, expression string, by []string, want map[string]float64) {
	t.Helper()
	got := ask(t, prometheus, expression)
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("%s has %d results, want %d", expression, len(got), len(want))
	}
	seen := map[string]bool{}
	for _, r := range got {
		set := map[string]string{}
		for _, label := range by {
			set[label] = r.labels[label]
		}
		name := key(set)
		v, ok := want[name]
		switch {
		case seen[name]:
			t.Errorf("%s: %s comes twice", expression, name)
		case !ok:
			t.Errorf("%s: %s is too much", expression, name)
		case !near(v, r.value):
			t.Errorf("%s: %s is %v, want %v", expression, name, r.value, v)
		}
		seen[name] = true
	}
}
