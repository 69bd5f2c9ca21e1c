// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

func TestCompile(t *testing.T) {
	const good = "sum by (pod) (rate(x[2m]))"
	for _, c := range []struct {
		name  string
		rule  Rule
		field string // "": it is good
		want  string
	}{
		{"pods", ofPods("a", good), "", ""},
		{"whole namespace", Rule{Name: "a", Attach: Attach{Resource: "namespaces"}, Expr: "sum(x)"}, "", ""},
		{"label", Rule{Name: "a", Attach: Attach{Group: "apps", Resource: "deployments", Label: "workload"}, Expr: "sum by (workload) (x)"}, "", ""},
		{"made label", Rule{Name: "a", Attach: Attach{Resource: "services", Label: "service"}, Expr: `label_replace(sum by (label_app) (x), "service", "$1", "label_app", "(.+)")`}, "", ""},
		{"everywhere", ofNothing("a", "sum(x)", "*"), "", ""},
		{"no name", ofPods("", good), "name", "no name of a metric"},
		{"slash", ofPods("a/b", good), "name", "no name of a metric"},
		{"long", ofPods(strings.Repeat("a", 300), good), "name", "longer"},
		{"no resource", Rule{Name: "a", Expr: good}, "attach", "say what the values are of"},
		{"kind", Rule{Name: "a", Attach: Attach{Resource: "Pod"}, Expr: good}, "attach", "lower case"},
		{"dotted", Rule{Name: "a", Attach: Attach{Resource: "deployments.apps"}, Expr: good}, "attach", "group: apps"},
		{"no label", Rule{Name: "a", Attach: Attach{Resource: "services"}, Expr: good}, "attach.label", "which label"},
		{"both", Rule{Name: "a", Attach: Attach{Resource: "pods", External: true}, Expr: good, Namespaces: []string{"a"}}, "attach", "of no object"},
		{"invisible", ofNothing("a", "sum(x)"), "namespaces", "[\"*\"] for all"},
		{"namespace", ofNothing("a", "sum(x)", "A_"), "namespaces", "no name of a namespace"},
		{"namespaces of pods", Rule{Name: "a", Attach: Attach{Resource: "pods"}, Expr: good, Namespaces: []string{"a"}}, "namespaces", "leave them out"},
		{"missing", Rule{Name: "a", Attach: Attach{Resource: "pods"}, Expr: good, OnMissing: "guess"}, "onMissing", "must be one of"},
		{"NaN", Rule{Name: "a", Attach: Attach{Resource: "pods"}, Expr: good, OnNaN: Ignore}, "onNaN", "must be one of"},
		{"age", Rule{Name: "a", Attach: Attach{Resource: "pods"}, Expr: good, MaxAge: time.Hour}, "maxAge", "at most"},
		{"window", Rule{Name: "a", Attach: Attach{Resource: "pods"}, Expr: good, Window: -1}, "window", "at most"},
		{"no expression", ofPods("a", ""), "expr", "parse"},
		{"parse", ofPods("a", "sum by (pod (x)"), "expr", "parse: 1:"},
		{"scalar", ofPods("a", "1 + 1"), "expr", "is a scalar"},
		{"range", ofPods("a", "x[5m]"), "expr", "is a range vector"},
		{"text", ofPods("a", `"x"`), "expr", "is a string"},
		{"reads nothing", ofPods("a", "vector(1)"), "expr", "reads no series"},
		{"any name", ofPods("a", `{__name__=~".+"}`), "expr", "says no name of a series"},
		{"no one name", ofPods("a", `{pod="a"}`), "expr", "says no name of a series"},
		{"inner any name", ofPods("a", `x * on (pod) group_left() {__name__!="y",pod="a"}`), "expr", "says no name of a series"},
		{"fixed time", ofPods("a", "x @ 1700000000"), "expr", "@ cannot be used"},
		{"start", ofPods("a", "x @ start()"), "expr", "@ cannot be used"},
		{"fixed subquery", ofPods("a", "max_over_time(x[5m:1m] @ end())"), "expr", "@ cannot be used"},
		{"future", ofPods("a", "x offset -1m"), "expr", "future"},
		{"far", ofPods("a", "rate(x[2h])"), "expr", "looks back 2h0m0s"},
		{"far together", ofPods("a", "max_over_time(rate(x[20m] offset 20m)[20m:1m] offset 20m)"), "expr", "looks back 1h20m0s"},
		{"fine steps", ofPods("a", "max_over_time(x[5m:1ms])"), "expr", "step"},
		{"experimental", ofPods("a", "limitk(1, x)"), "expr", "parse"},
		{"no label left", ofPods("a", "sum(x)"), "expr", "no label pod"},
		{"other label left", ofPods("a", "sum by (namespace) (x) / sum by (namespace) (y)"), "expr", "no label pod"},
		{"label lost", ofPods("a", "sum without (pod) (sum by (pod, node) (x))"), "expr", "no label pod"},
		{"upper case", ofPods("a", `sum by (pod) (x{workload_type="Deployment"})`), "expr", `"deployment"`},
		{"other path", ofPods("a", `x{metrics_path="/metrics"}`), "expr", "reads nothing"},
		{"many", ofPods("a", "x"+strings.Repeat(" + x", 20)), "expr", "21 selectors"},
		{"endless", ofPods("a", strings.Repeat("(", 9000)), "expr", "longer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Compile(c.rule)
			if c.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			field, ok := errors.AsType[*FieldError](err)
			if !ok || field.Field != c.field || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s: ...%s", err, c.field, c.want)
			}
		})
	}
}

func TestSelectors(t *testing.T) {
	c, err := Compile(ofPods("a", `sum by (pod) (
		  rate(container_network_receive_bytes_total{interface="eth0",label_app="web"}[2m] offset 1m))
		+ sum by (pod) (container_memory_working_set_bytes)
		+ sum by (pod) (max_over_time(rate(container_cpu_usage_seconds_total{metrics_path="/metrics/cadvisor"}[1m])[5m:30s]))`))
	if err != nil {
		t.Fatal(err)
	}
	if c.window != 120_000 {
		t.Errorf("window %v", c.window)
	}
	got := c.Selectors(time.Minute)
	for i, want := range []series.Selector{
		{Name: "container_network_receive_bytes_total", Range: 180_000, Sources: series.SourceSetOf(series.Cadvisor)},
		{Name: "container_memory_working_set_bytes", Range: 60_000, Sources: series.SourceSetOf(series.Resource)},
		{Name: "container_cpu_usage_seconds_total", Range: 360_000, Sources: series.SourceSetOf(series.Cadvisor)},
	} {
		if s := got[i]; s.Name != want.Name || s.Range != want.Range || s.Sources != want.Sources {
			t.Errorf("selector %d is %+v, want %+v", i, s, want)
		}
	}
	match := got[0].Match
	if !match(series.Labels{{Name: "__name__", Value: "container_network_receive_bytes_total"}, {Name: "interface", Value: "eth0"}}) ||
		match(series.Labels{{Name: "__name__", Value: "container_network_receive_bytes_total"}, {Name: "interface", Value: "lo"}}) {
		t.Error("what is kept is not what is read")
	}
	if age := c.ageOr(7); age != 7 || c.maxAge != 0 {
		t.Errorf("age %v", age)
	}
	c.maxAge = storage.Millis(9)
	if age := c.ageOr(7); age != 9 {
		t.Errorf("age %v", age)
	}
}

// TestClashes: a rule does not take a metric that another has, and takes nothing
// else away.
func TestClashes(t *testing.T) {
	reserved := func(resource schema.GroupResource, metric string) string {
		if resource.Resource == "pods" && metric == "taken" {
			return "the catalogue"
		}
		return ""
	}
	all := []Rule{
		ofPods("a", "x"),
		ofPods("a", "y"),
		{Name: "a", Attach: Attach{Resource: "nodes"}, Expr: "y"},
		ofPods("taken", "x"),
		{Name: "taken", Attach: Attach{Resource: "namespaces"}, Expr: "y"},
		ofNothing("a", "sum(x)", "one", "two"),
		ofNothing("a", "sum(y)", "three"),
		ofNothing("a", "sum(z)", "four", "two"),
		ofNothing("a", "sum(z)", "*"),
		ofPods("broken", "sum("),
		ofPods("last", "x"),
	}
	compiled, refused := CompileAll(all, reserved)
	for i, want := range []string{
		"", "another rule has the metric a of pods", "", "the catalogue has the metric taken of pods", "",
		"", "", "another rule has the external metric a", "another rule has the external metric a", "expr: parse", "",
	} {
		if (want == "") != (refused[i] == nil) || (want == "") != (compiled[i] != nil) || want != "" && !strings.Contains(refused[i].Error(), want) {
			t.Errorf("rule %d, %+v: %v, want %q", i, all[i], refused[i], want)
		}
	}
}
