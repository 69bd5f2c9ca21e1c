// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/component-base/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/sinks"
)

// dashboard is what of a Grafana dashboard is looked at.
type dashboard struct {
	Templating struct {
		List []struct {
			Type, Name string
			Definition string
			AllValue   string
		}
	}
	Panels []struct {
		Title, Type, Description string
		Targets                  []struct{ Expr string }
	}
}

// TestDashboard asks a real Prometheus, which has what our sink shipped and the
// sink's own metrics, for every query of the dashboard in manifests/dashboards, with
// all of its variables' values and with one of each. There is an answer to each.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../../manifests/dashboards/metrics-apiserver.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	prometheus := monitoredRecording(t)

	all, one := map[string]string{"$__rate_interval": "5m"}, map[string]string{"$__rate_interval": "5m"}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		all["$"+v.Name] = v.AllValue
		values := valuesOf(t, prometheus, v.Definition, one)
		if len(values) == 0 {
			t.Fatalf("the variable %s has no values: %s", v.Name, v.Definition)
		}
		one["$"+v.Name] = values[len(values)-1]
	}
	// Of the pods, one that tells all there is.
	one["$namespace"], one["$pod"] = "shop", "of-n2-web-.+"
	panels, queries := 0, 0
	for _, p := range d.Panels {
		if p.Type == "row" {
			continue
		}
		panels++
		if p.Description == "" {
			t.Errorf("panel %q does not say what it shows", p.Title)
		}
		for _, target := range p.Targets {
			queries++
			check(t, prometheus, p.Title, fill(target.Expr, all))
			// The summary, and so claims and ephemeral storage, is of the other node.
			if !strings.Contains(target.Expr, "kubelet_summary_pod_") {
				check(t, prometheus, p.Title, fill(target.Expr, one))
			}
			if strings.Contains(fill(target.Expr, one), "$") {
				t.Errorf("panel %q has a variable that there is not: %s", p.Title, target.Expr)
			}
		}
	}
	if panels < 30 {
		t.Errorf("there are %d panels", panels)
	}
	t.Logf("%d queries of %d panels", queries, panels)
}

// monitoredRecording is a Prometheus that takes what our sink ships, and reads what
// the sink says of itself.
func monitoredRecording(t *testing.T) string {
	t.Helper()
	var own atomic.Pointer[http.Handler]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handler := own.Load(); handler != nil {
			(*handler).ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	prometheus := startPrometheus(t, fmt.Sprintf("scrape_configs:\n- {job_name: metrics-apiserver, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{targets: [%q]}]}\n", strings.TrimPrefix(server.URL, "http://")))
	_, newest := readRecording(t)
	set := shipRecording(t, prometheus+"/api/v1/write", newest)
	registry := metrics.NewKubeRegistry()
	registry.CustomMustRegister(sinks.NewMetrics(set))
	handler := metrics.HandlerFor(registry, metrics.HandlerOpts{})
	own.Store(&handler)
	// A rate takes two scrapes.
	waitFor(t, func() bool {
		got := ask(t, prometheus, `count_over_time(metrics_apiserver_remote_write_series[1m])`)
		return len(got) == 1 && got[0].value >= 2
	})
	return prometheus
}

// fill puts values in the place of variables, the longest names first.
func fill(expression string, values map[string]string) string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	for _, name := range names {
		expression = strings.ReplaceAll(expression, name, values[name])
	}
	return expression
}

// valuesOf is what Grafana offers for a variable: the values of a label.
func valuesOf(t *testing.T, prometheus, definition string, values map[string]string) []string {
	t.Helper()
	parts := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(fill(definition, values))
	if parts == nil {
		t.Fatalf("%s is not label_values(series, label)", definition)
	}
	var out []string
	for _, r := range ask(t, prometheus, fmt.Sprintf(`group by (%s) (%s)`, parts[2], parts[1])) {
		if v := r.labels[parts[2]]; v != "" {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// check asks for one expression.
func check(t *testing.T, prometheus, title, expression string) {
	t.Helper()
	got := ask(t, prometheus, expression)
	if !slices.ContainsFunc(got, func(r result) bool { return !math.IsNaN(r.value) }) {
		t.Errorf("panel %q shows nothing: %s is %v", title, expression, got)
	}
}
