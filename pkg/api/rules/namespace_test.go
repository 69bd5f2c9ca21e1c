// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// tenants is a world of two namespaces: values of mine are below 100, those of
// theirs above 1000.
func tenants(t *testing.T) *world {
	w := newWorld(t, "n1")
	for _, name := range []string{"web", "shared"} {
		w.pod("mine", name, "web", ownedBy("StatefulSet", "web"))
	}
	for _, name := range []string{"db", "shared"} {
		w.pod("theirs", name, "db", ownedBy("StatefulSet", "db"))
	}
	return w
}

func (w *world) tenantsAnswer() {
	for range 8 {
		time.Sleep(15 * time.Second)
		w.answer("n1", series.Cadvisor,
			`x{namespace="mine",pod="web",container="c"} 1`, `x{namespace="mine",pod="shared",container="c"} 2`,
			`x{namespace="theirs",pod="db",container="c"} 1001`, `x{namespace="theirs",pod="shared",container="c"} 1002`,
			`x{namespace="",pod="",id="/"} 5000`, // the node's own
		)
	}
}

// attempts are expressions that reach for what is another namespace's.
func attempts() []string {
	return []string{
		`x`,
		`x{namespace="theirs"}`,
		`x{namespace=~".*"}`,
		`x{namespace!="mine"}`,
		`x{namespace=~"mine|theirs"}`,
		`{__name__="x",namespace="theirs"}`,
		`{"x",namespace="theirs"}`,
		`x offset 1m`,
		`x{namespace="theirs"} offset 30s`,
		`max_over_time(x{namespace="theirs"}[1m:15s])`,
		`max_over_time(sum by (pod, namespace) (x)[1m:15s] offset 15s)`,
		`x or x{namespace="theirs"}`,
		`x or on () x{namespace="theirs"}`,
		`x unless x{namespace="mine"}`,
		`x and on (pod) x{namespace="theirs"}`,
		`label_replace(x, "namespace", "theirs", "", "")`,
		`label_replace(x{namespace="theirs"}, "namespace", "mine", "", "")`,
		`label_join(x{namespace="theirs"}, "namespace", "", "pod")`,
		`label_replace(sum by (namespace) (x), "pod", "web", "", "")`,
		`x * on (pod) group_left (namespace) sum by (pod, namespace) (x{namespace="theirs"})`,
		`sum by (pod) (x) * on () group_left () sum(x{namespace="theirs"})`,
		`sum by (pod) (x) + on () group_left () sum(x)`,
		`sum by (pod) (x) + scalar(sum(x{namespace="theirs"}))`,
		`sum by (pod) (x) + scalar(max(x{namespace!="mine"}) or vector(0))`,
		`absent(x{namespace="theirs",pod="db"})`,
		`absent_over_time(x{namespace="theirs",pod="shared"}[1m])`,
		`topk(10, x)`, `sum by (pod) (x)`, `sum by (pod, workload) (x)`,
		`x{workload="db"}`, `x{label_app="db"}`, `sum by (pod, label_app) (x)`,
		`max by (pod) (x{id="/"})`,
		`count_values by (pod) ("value", x)`,
		`sum by (pod) (x{namespace=""})`,
	}
}

// TestNamespaceIsEnforced: whatever an expression says, it has no value that comes
// of another namespace, for every kind of object.
func TestNamespaceIsEnforced(t *testing.T) {
	for _, expr := range attempts() {
		t.Run(expr, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := tenants(t)
				attached := []Rule{ofPods("metric", expr), ofNothing("metric", expr, "mine")}
				for _, a := range []Attach{{Resource: "namespaces"}, {Group: "apps", Resource: "statefulsets", Label: "workload"}, {Resource: "services", Label: "label_app"}} {
					attached = append(attached, Rule{Name: "metric", Attach: a, Expr: expr})
				}
				served := 0
				// What is attached where its labels cannot be is refused, and that is fine.
				for _, rule := range attached {
					for _, policy := range []Policy{Omit, Ignore} {
						rule.OnMissing = policy
						if _, err := Compile(rule); err != nil {
							continue
						}
						served++
						w.set(rule)
						w.tenantsAnswer()
						w.checkMine(rule)
					}
				}
				if served == 0 {
					t.Error("nothing was tried")
				}
			})
		})
	}
}

// checkMine looks at all results of a rule in the namespace mine.
func (w *world) checkMine(rule Rule) {
	w.t.Helper()
	compiled, err := Compile(rule)
	w.must(err)
	result := w.provider.evaluator.Evaluate(w.t.Context(), compiled, "mine", storage.MillisOf(time.Now()), 0)
	for _, e := range result.Elements {
		if e.Value > 100 || e.Value < 0 {
			w.t.Errorf("attached to %+v: %v is %v", rule.Attach, e.Labels, e.Value)
		}
		// absent() repeats what the expression says, whatever there is; count_values
		// makes a label of a value.
		if value := e.Labels.Get("value"); strings.HasPrefix(value, "100") || e.Labels.Get("workload") == "db" || e.Labels.Get("label_app") == "db" {
			w.t.Errorf("attached to %+v: %v", rule.Attach, e.Labels)
		}
	}
	for i := range result.missing.inputs {
		if l := result.missing.inputs[i].labels; l.Get("namespace") != "mine" {
			w.t.Errorf("misses %v", l)
		}
	}
	if rule.Attach.External {
		if got := w.external("mine", rule.Name, ""); containsAny(got, "1001000", "1002000", "2003000", "5000000") {
			w.t.Error(got)
		}
		return
	}
	resource := rule.Attach.Resource
	if rule.Attach.Group != "" {
		resource += "." + rule.Attach.Group
	}
	if resource == "namespaces" {
		got := text(w.ask("", resource, "mine", rule.Name, ""))
		if containsAny(got, "1001000", "1002000", "2003000", "5000000") {
			w.t.Error(got)
		}
		return
	}
	for _, name := range []string{custommetrics.AllObjects, "db", "shared"} {
		values, err := w.ask("mine", resource, name, rule.Name, "")
		if err != nil && containsAny(err.Error(), "1001000", "1002000", "2003000", "5000000") {
			w.t.Error(err)
		}
		for object, v := range values {
			if v.Milli > 100_000 || v.Namespace != "mine" || object == "db" {
				w.t.Errorf("attached to %+v: %s is %+v", rule.Attach, object, v)
			}
		}
	}
}

// TestTenants: the same rule is another metric in each namespace.
func TestTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tenants(t)
		w.set(ofPods("metric", "sum by (pod) (x)"),
			Rule{Name: "metric", Attach: Attach{Resource: "namespaces"}, Expr: "sum(x)"},
			Rule{Name: "node_metric", Attach: Attach{Resource: "nodes"}, Expr: "sum by (node) (x)"},
			ofNothing("metric", "sum(x)", "mine"), ofNothing("everywhere", "sum(x)", "*"))
		w.tenantsAnswer()
		for _, c := range []struct{ got, want string }{
			{w.askPods("mine", "metric"), "shared=2000 web=1000"},
			{w.askPods("theirs", "metric"), "db=1001000 shared=1002000"},
			{text(w.ask("", "namespaces", "mine", "metric", "")), "mine=3000"},
			{text(w.ask("", "namespaces", "theirs", "metric", "")), "theirs=2003000"},
			// Who may read nodes sees the whole of them.
			{text(w.ask("", "nodes", "*", "node_metric", "")), "n1=7006000"},
			{w.external("mine", "metric", ""), "[3000]"},
			{w.external("theirs", "everywhere", ""), "[2003000]"},
		} {
			if c.got != c.want {
				t.Errorf("%s, want %s", c.got, c.want)
			}
		}
		if got := text(w.ask("mine", "nodes", "n1", "node_metric", "")); !contains(got, "nodes are in no namespace") {
			t.Error(got)
		}
		// All pods of the cluster are for those who may read them all.
		var all custommetrics.Answer
		everything := labels.Everything()
		if err := w.provider.Custom(t.Context(), &custommetrics.Query{
			Resource: schema.GroupResource{Resource: "pods"}, Name: custommetrics.AllObjects, Selector: everything, Metric: "metric", MetricSelector: everything,
		}, &all); err != nil || len(all.Values) != 4 {
			t.Errorf("%v, %v", all, err)
		}
		// Where an external metric is not visible nobody is told that it exists.
		hidden := w.external("theirs", "metric", "")
		if unknown := w.external("theirs", "unknown", ""); hidden != strings.ReplaceAll(unknown, "unknown", "metric") {
			t.Errorf("%q tells that there is one: %q", hidden, unknown)
		}
	})
}
