// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/testutil"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/rules"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// TestEvaluationMetrics: what is asked for shows in the metrics, which are those of
// the rules in force, and which docs/rules.md has all of.
func TestEvaluationMetrics(t *testing.T) {
	recent, err := series.NewRecent(series.RecentOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods, nodes := objects.NewPods(), objects.NewNodes(nil)
	if err := nodes.Replace(nil, "1"); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	if err := pods.Replace([]any{pod}, "1"); err != nil {
		t.Fatal(err)
	}
	provider := rules.New(rules.Options{Samples: recent, Nodes: nodes, Pods: pods, Want: recent.Want})
	registry := metrics.NewKubeRegistry()
	registry.RawMustRegister(newEvaluationMetrics(provider))
	ask := func() {
		var a custommetrics.Answer
		_ = provider.Custom(t.Context(), &custommetrics.Query{
			Resource: schema.GroupResource{Resource: "pods"}, Namespace: "shop", Name: custommetrics.AllObjects,
			Selector: labels.Everything(), Metric: "busy", MetricSelector: labels.Everything(),
		}, &a)
	}
	rule := rules.Rule{Name: "busy", Attach: rules.Attach{Resource: "pods"}, Expr: "sum by (pod) (x)"}
	if err := provider.Set([]rules.Rule{rule})[0]; err != nil {
		t.Fatal(err)
	}
	ask()
	ask()
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP metrics_apiserver_rule_evaluations_total [ALPHA] Number of evaluations of a rule that gave a result.
# TYPE metrics_apiserver_rule_evaluations_total counter
metrics_apiserver_rule_evaluations_total{rule="busy"} 1
# HELP metrics_apiserver_rule_kept_results [ALPHA] Number of results that are kept, or being made.
# TYPE metrics_apiserver_rule_kept_results gauge
metrics_apiserver_rule_kept_results 1
# HELP metrics_apiserver_rule_omitted_values_total [ALPHA] Number of objects, or series of an external metric, that had no value when they were asked for, by reason.
# TYPE metrics_apiserver_rule_omitted_values_total counter
metrics_apiserver_rule_omitted_values_total{reason="no_result",rule="busy"} 2
# HELP metrics_apiserver_rule_shared_results_total [ALPHA] Number of requests that were answered with a result that was there, or was being made.
# TYPE metrics_apiserver_rule_shared_results_total counter
metrics_apiserver_rule_shared_results_total{rule="busy"} 1
`), "metrics_apiserver_rule_evaluations_total", "metrics_apiserver_rule_kept_results", "metrics_apiserver_rule_omitted_values_total",
		"metrics_apiserver_rule_shared_results_total", "metrics_apiserver_rule_evaluation_failures_total"); err != nil {
		t.Error(err)
	}
	names := familiesOf(t, registry)
	if !slices.Contains(names, "metrics_apiserver_rule_evaluation_duration_seconds") {
		t.Errorf("there are %q", names)
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "rules.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, "metrics_apiserver_rule_evaluation_failures_total") {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/rules.md has no %s", name)
		}
	}
	provider.Set(nil)
	if got := familiesOf(t, registry); !slices.Equal(got, []string{"metrics_apiserver_rule_kept_results"}) {
		t.Errorf("without rules there are %q", got)
	}
}

func familiesOf(t *testing.T, registry metrics.KubeRegistry) (names []string) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		names = append(names, family.GetName())
	}
	return names
}
