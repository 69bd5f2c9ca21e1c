// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

const (
	web1 = `x{namespace="a",pod="web-1",container="c"} 1`
	web2 = `x{namespace="a",pod="web-2",container="c"} 2`
	db1  = `x{namespace="a",pod="db-1",container="c"} 4`
)

// shop has web-1 on n1, web-2 on n2, db-1 on n1.
func shop(t *testing.T) *world {
	w := newWorld(t, "n1", "n2")
	w.pod("a", "web-1", "web", ownedBy("ReplicaSet", "web-5d9"), labelled("pod-template-hash", "5d9"))
	w.pod("a", "web-2", "web", ownedBy("ReplicaSet", "web-5d9"), labelled("pod-template-hash", "5d9"), onNode("n2"))
	w.pod("a", "db-1", "db", ownedBy("StatefulSet", "db"))
	return w
}

// sum is a rule of all pods together, of each policy.
func sums() []Rule {
	return []Rule{
		{Name: "omit", Attach: Attach{Resource: "namespaces"}, Expr: "sum(x)"},
		{Name: "ignore", Attach: Attach{Resource: "namespaces"}, Expr: "sum(x)", OnMissing: Ignore},
		{Name: "zero", Attach: Attach{Resource: "namespaces"}, Expr: "sum(x)", OnMissing: Zero},
	}
}

func (w *world) sum(policy string) string {
	w.t.Helper()
	time.Sleep(2 * keptFor)
	return text(w.ask("", "namespaces", "a", policy, ""))
}

// TestMissing: a pod whose sample is stale, or whose node has not answered at all,
// never lowers a sum.
func TestMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		w.set(append(sums(), ofPods("pods", "sum by (pod) (x)"), ofPods("zeros", "sum by (pod) (x)").with(Zero),
			Rule{Name: "workloads", Attach: Attach{Group: "apps", Resource: "deployments", Label: "workload"}, Expr: "sum by (workload) (x)"},
			ofNothing("external", "sum by (pod) (x)", "a"))...)
		// Nothing has answered: not even zero is known.
		for _, policy := range []string{"omit", "ignore", "zero"} {
			if got := w.sum(policy); !contains(got, "no value of metric "+policy, "yet: it has been collected for") {
				t.Error(got)
			}
		}
		// One node has.
		w.answer("n1", series.Cadvisor, web1, db1)
		if got := w.sum("omit"); !contains(got, "samples are missing", "its node has not answered (web-2)") {
			t.Error(got)
		}
		if got := w.sum("ignore"); got != "a=5000" {
			t.Error(got)
		}
		// Both have.
		w.answer("n2", series.Cadvisor, web2)
		if got := w.sum("omit"); got != "a=7000" {
			t.Error(got)
		}
		// n2 does not answer any more; in the end its sample is too old.
		for range 5 {
			time.Sleep(14 * time.Second)
			w.answer("n1", series.Cadvisor, web1, db1)
			if got := w.sum("omit"); got != "a=7000" && !contains(got, "its newest sample is too old (web-2)") {
				t.Error(got)
			}
		}
		for _, c := range []struct{ got, want string }{
			{w.sum("ignore"), "a=5000"},
			{w.sum("zero"), "a=5000"},
			{w.askPods("a", "pods"), "db-1=4000 web-1=1000"},
			{w.askPods("a", "zeros"), "db-1=4000 web-1=1000 web-2=0"},
			{w.external("a", "external", "pod=web-1"), "no value of external metric external in namespace a: a sum of what there is would not be right; missing: its newest sample is too old (web-2)"},
		} {
			if c.got != c.want {
				t.Errorf("%s, want %s", c.got, c.want)
			}
		}
		if got := text(w.ask("a", "deployments.apps", "web", "workloads", "")); !contains(got, "samples are missing", "too old (web-2)") {
			t.Error(got)
		}
		// A kubelet that answers with old samples is no better, and much later so.
		for range 40 {
			time.Sleep(15 * time.Second)
			w.answer("n1", series.Cadvisor, web1, db1)
			w.answer("n2", series.Cadvisor, web2+" 100s")
		}
		if got := w.sum("omit"); !contains(got, "samples are missing") {
			t.Error(got)
		}
		// A series that a node says is gone is not missed, nor is a pod that goes, or
		// that does not run.
		w.answer("n2", series.Cadvisor)
		time.Sleep(10 * time.Second)
		if got := w.sum("omit"); got != "a=5000" {
			t.Error(got)
		}
	})
}

func (r Rule) with(missing Policy) Rule {
	r.OnMissing = missing
	return r
}

// TestWhoIsNotMissed: pods that need not have samples.
func TestWhoIsNotMissed(t *testing.T) {
	for name, option := range map[string]podOption{
		"that goes":     terminating,
		"that crashed":  crashed,
		"that is young": begun(time.Date(2000, 1, 1, 0, 1, 50, 0, time.UTC)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := shop(t)
				w.set(sums()...)
				w.answer("n1", series.Cadvisor, web1, db1)
				w.answer("n2", series.Cadvisor, web2)
				time.Sleep(2 * time.Minute)
				w.answer("n1", series.Cadvisor, web1, db1)
				if got := w.sum("omit"); !contains(got, "too old (web-2)") {
					t.Error(got)
				}
				w.pod("a", "web-2", "web", onNode("n2"), option)
				if got := w.sum("omit"); got != "a=5000" {
					t.Error(got)
				}
			})
		})
	}
}

// TestRateOfOneSample: what has no rate yet is missing from a sum of rates.
func TestRateOfOneSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		w.set(Rule{Name: "rate", Attach: Attach{Resource: "namespaces"}, Expr: "sum(rate(x[2m]))"}, ofPods("pods", "sum by (pod) (rate(x[2m]))"))
		w.answer("n1", series.Cadvisor, `x{namespace="a",pod="web-1"} 0`, `x{namespace="a",pod="db-1"} 0`)
		time.Sleep(15 * time.Second)
		w.answer("n1", series.Cadvisor, `x{namespace="a",pod="web-1"} 150`, `x{namespace="a",pod="db-1"} 0`)
		w.answer("n2", series.Cadvisor, `x{namespace="a",pod="web-2"} 7`)
		if got := text(w.ask("", "namespaces", "a", "rate", "")); !contains(got, "it has one sample so far, and a rate takes two (web-2)") {
			t.Error(got)
		}
		if got := w.askPods("a", "pods"); got == "" || strings.Contains(got, "web-2") || !strings.Contains(got, "web-1") {
			t.Error(got)
		}
		time.Sleep(15 * time.Second)
		w.answer("n1", series.Cadvisor, `x{namespace="a",pod="web-1"} 300`, `x{namespace="a",pod="db-1"} 0`)
		w.answer("n2", series.Cadvisor, `x{namespace="a",pod="web-2"} 7`)
		values, err := w.ask("", "namespaces", "a", "rate", "")
		if v := values["a"]; err != nil || v.Window != 120_000 || v.Milli == 0 {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

// TestOffset: a pod that was there then, and of which nothing is known of then, is
// missing from a sum.
func TestOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		w.set(Rule{Name: "then", Attach: Attach{Resource: "namespaces"}, Expr: "sum(x offset 1m)"})
		ask := func() string {
			time.Sleep(2 * keptFor)
			return text(w.ask("", "namespaces", "a", "then", ""))
		}
		for range 6 {
			w.answer("n1", series.Cadvisor, web1, db1)
			time.Sleep(15 * time.Second)
		}
		w.answer("n1", series.Cadvisor, web1, db1)
		w.answer("n2", series.Cadvisor, web2)
		if got := ask(); !contains(got, "it has no sample in the time that the expression looks at (web-2)") {
			t.Error(got)
		}
		w.pod("a", "web-2", "web", onNode("n2"), begun(time.Now().Add(-10*time.Second)))
		if got := ask(); got != "a=5000" {
			t.Error(got)
		}
	})
}

// TestTimeAndWindow: a value is as old as the oldest sample in it, and no older
// than the rule allows.
func TestTimeAndWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		strict := ofPods("strict", "sum by (pod) (max_over_time(x[5m]))")
		strict.MaxAge, strict.Window = 10*time.Second, 7*time.Second
		w.set(ofPods("loose", "sum by (pod) (x)"), strict)
		now := storage.MillisOf(time.Now())
		w.answer("n1", series.Cadvisor, web1+" 5s", `x{namespace="a",pod="web-1",container="d"} 1 20s`, db1+" 2s")
		values, err := w.ask("a", "pods", "*", "loose", "")
		if err != nil || values["web-1"].Time != now-20_000 || values["db-1"].Time != now-2000 || values["db-1"].Window != 0 {
			t.Errorf("%v, %v", values, err)
		}
		values, err = w.ask("a", "pods", "*", "strict", "")
		if err != nil || len(values) != 1 || values["db-1"].Time != now-2000 || values["db-1"].Window != 7000 {
			t.Errorf("%v, %v", values, err)
		}
	})
}

// TestNumbers: no NaN, infinity, negative or overflowing value ever leaves.
func TestNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		zero := ofPods("zero", "sum by (pod) (x) / sum by (pod) (y)")
		zero.OnNaN = Zero
		w.set(ofPods("quotient", "sum by (pod) (x) / sum by (pod) (y)"), zero, ofPods("negative", "sum by (pod) (x) - 10"), ofPods("large", "sum by (pod) (x) * 1e18"))
		w.answer("n1", series.Cadvisor, `x{namespace="a",pod="web-1"} 0`, `y{namespace="a",pod="web-1"} 0`, `x{namespace="a",pod="db-1"} 1`, `y{namespace="a",pod="db-1"} 0`)
		w.answer("n2", series.Cadvisor, `x{namespace="a",pod="web-2"} 1`, `y{namespace="a",pod="web-2"} 3`)
		for metric, want := range map[string]string{
			"quotient": "web-2=333", "zero": "web-1=0 web-2=333", "negative": "3: the result is negative", "large": "web-1=0",
		} {
			if got := w.askPods("a", metric); got != want && !strings.Contains(got, want) {
				t.Errorf("%s: %s, want %s", metric, got, want)
			}
		}
		if got := text(w.ask("a", "pods", "web-1", "quotient", "")); !contains(got, "for pod web-1 in namespace a: the result is not a number") {
			t.Error(got)
		}
		if got := text(w.ask("a", "pods", "db-1", "zero", "")); !contains(got, "infinite") {
			t.Error(got)
		}
	})
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -0.001, 9.3e15, math.MaxFloat64} {
		if got, why := (&Compiled{}).valueOf(&Element{Value: v}); why == present {
			t.Errorf("%v is served as %v", v, got)
		}
	}
	for v, want := range map[float64]int64{0: 0, -0.0004: 0, 0.0004: 0, 0.0006: 1, 9e15: 9e18} {
		if got, why := (&Compiled{}).valueOf(&Element{Value: v}); why != present || got.milli != want {
			t.Errorf("%v is %v, %v", v, got, why)
		}
	}
}

// TestSeveralResults: two results for one object are no value, unless the metric's
// selector chooses one.
func TestSeveralResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		w.set(ofPods("metric", "sum by (pod, interface) (x)"))
		w.answer("n1", series.Cadvisor, `x{namespace="a",pod="web-1",interface="eth0"} 1`, `x{namespace="a",pod="web-1",interface="eth1"} 2`, `x{namespace="a",pod="db-1",interface="eth0"} 3`)
		w.answer("n2", series.Cadvisor)
		if got := w.askPods("a", "metric"); got != "db-1=3000" {
			t.Error(got)
		}
		if got := text(w.ask("a", "pods", "web-1", "metric", "")); !contains(got, "several results for it: aggregate") {
			t.Error(got)
		}
		choose := func(selector string) string {
			parsed, err := labels.Parse(selector)
			w.must(err)
			return text(w.query(&custommetrics.Query{
				Resource: schema.GroupResource{Resource: "pods"}, Namespace: "a", Name: "*", Selector: labels.Everything(), Metric: "metric", MetricSelector: parsed,
			}))
		}
		if got := choose("interface=eth1"); got != "web-1=2000" {
			t.Error(got)
		}
		if got := choose("interface=eth2"); !contains(got, "3 running pods, none of which has a fresh value", "2: the metric's selector does not match", `the metric's selector is "interface=eth2"`) {
			t.Error(got)
		}
	})
}

// TestMessages: what an HPA shows says what was asked for, how many matched, and
// why there is nothing.
func TestMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		errs := w.provider.Set([]Rule{
			ofPods("metric", "sum by (pod) (x)"), ofPods("broken", "sum("),
			ofPods("failing", "x * on (pod) group_left () y"), ofPods("absent", "sum by (pod) (absentee)"), ofNothing("external", "sum(", "a"),
		})
		if errs[1] == nil || errs[0] != nil || errs[2] != nil {
			t.Fatal(errs)
		}
		w.answer("n1", series.Cadvisor, web1, `y{namespace="a",pod="web-1",z="1"} 1`, `y{namespace="a",pod="web-1",z="2"} 1`)
		w.answer("n2", series.Cadvisor)
		for _, c := range []struct {
			got  string
			want []string
		}{
			{text(w.ask("a", "pods", "*", "metric", "app=db")), []string{"no value of metric metric (a rule) in namespace a: 1 running pod with selector \"app=db\", none of which has a fresh value. the expression has no result for it (db-1)"}},
			{text(w.ask("a", "pods", "*", "metric", "app=none")), []string{"0 running pods with selector \"app=none\""}},
			{text(w.ask("a", "pods", "none", "metric", "")), []string{"no pod none runs in namespace a"}},
			{w.askPods("a", "broken"), []string{"there is no metric broken: its rule is not in force: expr: parse"}},
			{w.askPods("a", "failing"), []string{"no value of metric failing in namespace a: its rule could not be evaluated", "many-to-many"}},
			{w.askPods("a", "absent"), []string{"there is no fresh series absentee"}},
			{w.askPods("a", "unknown"), []string{"there is no metric unknown"}},
			{w.askPods("a", "external"), []string{"there is no metric external"}},
			{w.external("a", "external", ""), []string{"there is no external metric external in namespace a: its rule is not in force: expr: parse"}},
			{text(w.ask("", "nodes", "n1", "metric", "")), []string{"nodes have no metric metric; its rule is about pods"}},
		} {
			if !contains(c.got, c.want...) {
				t.Errorf("%s\nwant %q", c.got, c.want)
			}
		}
		for name, want := range map[string]bool{"metric": true, "broken": true, "unknown": false} {
			if got := w.provider.Knows(name); got != want {
				t.Errorf("knows %s: %v", name, got)
			}
		}
	})
}

// TestDerivedLabels: pods' labels and workloads, where an expression names them.
func TestDerivedLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		w.pod("a", "bare", "bare", labelled("app.kubernetes.io/name", "loner"))
		w.set(
			Rule{Name: "metric", Attach: Attach{Group: "apps", Resource: "deployments", Label: "workload"}, Expr: `sum by (workload) (x{workload_type="deployment"})`},
			Rule{Name: "metric", Attach: Attach{Group: "apps", Resource: "statefulsets", Label: "workload"}, Expr: `sum by (workload) (x{workload_type="statefulset"})`},
			Rule{Name: "metric", Attach: Attach{Resource: "services", Label: "service"}, Expr: `sum by (service) (label_replace(x, "service", "$1", "label_app", "(.+)"))`},
			Rule{Name: "metric", Attach: Attach{Group: "networking.k8s.io", Resource: "ingresses", Label: "ingress"}, Expr: `label_replace(sum(x{label_app=~"web|db"}), "ingress", "front", "", "")`},
			ofPods("metric", `sum by (pod) (x{label_app_kubernetes_io_name="loner"})`),
			ofPods("all", "x"),
		)
		w.answer("n1", series.Cadvisor, web1, db1, `x{namespace="a",pod="bare",workload="web",label_app="web"} 100`)
		w.answer("n2", series.Cadvisor, web2)
		for _, c := range []struct{ got, want string }{
			{text(w.ask("a", "deployments.apps", "web", "metric", "")), "web=3000"},
			{text(w.ask("a", "statefulsets.apps", "db", "metric", "")), "db=4000"},
			{text(w.ask("a", "statefulsets.apps", "*", "metric", "")), "db=4000"},
			{text(w.ask("a", "services", "web", "metric", "")), "web=3000"},
			{text(w.ask("a", "services", "*", "metric", "")), "bare=100000 db=4000 web=3000"},
			{text(w.ask("a", "ingresses.networking.k8s.io", "front", "metric", "")), "front=7000"},
			{w.askPods("a", "metric"), "bare=100000"},
		} {
			if c.got != c.want {
				t.Errorf("%s, want %s", c.got, c.want)
			}
		}
		if got := text(w.ask("a", "statefulsets.apps", "web", "metric", "")); !contains(got, "no value of metric metric (a rule) for statefulsets.apps web in namespace a: the expression has no result for it") {
			t.Error(got)
		}
		if got := text(w.ask("a", "services", "*", "metric", "a=b")); !contains(got, "cannot be selected by labels") {
			t.Error(got)
		}
		var a custommetrics.Answer
		w.must(w.provider.Custom(t.Context(), &custommetrics.Query{
			Resource: schema.GroupResource{Group: "networking.k8s.io", Resource: "ingresses"}, Namespace: "a", Name: "front", Selector: labels.Everything(), Metric: "metric", MetricSelector: labels.Everything(),
		}, &a))
		if a.Kind != "Ingress" || a.APIVersion != "networking.k8s.io/v1" {
			t.Errorf("%+v", a)
		}
	})
}

// TestExternal: series with their labels, and selectors over them.
func TestExternal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		zero := ofNothing("zero", "sum by (queue) (nothing)", "a")
		zero.OnMissing = Zero
		w.set(ofNothing("metric", "sum by (label_app) (x)", "a"), zero, ofNothing("quotient", "sum by (label_app) (x) / (sum by (label_app) (x) - 3)", "a"), ofNothing("nothing", "sum(nothing)", "a"))
		for range 5 {
			time.Sleep(15 * time.Second)
			w.answer("n1", series.Cadvisor, web1, db1)
			w.answer("n2", series.Cadvisor, web2)
		}
		for _, c := range []struct{ got, want string }{
			{w.external("a", "metric", ""), "[3000 4000]"},
			{w.external("a", "metric", "label_app=web"), "[3000]"},
			{w.external("a", "metric", "label_app!=web"), "[4000]"},
			{w.external("a", "zero", ""), "[0]"},
			{w.external("a", "quotient", "label_app=db"), "[4000]"},
		} {
			if c.got != c.want {
				t.Errorf("%s, want %s", c.got, c.want)
			}
		}
		for _, c := range []struct{ got, want string }{
			{w.external("a", "metric", "label_app=none"), "its rule has 2 results, none of which selector \"label_app=none\" matches"},
			// 3 / 0: of two results one has no value, so there is no sum.
			{w.external("a", "quotient", ""), "1 of 2 results with selector \"\" have no value. the result is infinite"},
			{w.external("a", "nothing", ""), "there is no fresh series nothing"},
		} {
			if !strings.Contains(c.got, c.want) {
				t.Errorf("%s, want %s", c.got, c.want)
			}
		}
		values, err := w.provider.External(t.Context(), &custommetrics.ExternalQuery{Namespace: "a", Metric: "metric", Selector: labels.SelectorFromSet(labels.Set{"label_app": "web"})})
		if err != nil || len(values) != 1 || len(values[0].Labels) != 1 || values[0].Labels["label_app"] != "web" {
			t.Errorf("%v, %v", values, err)
		}
	})
}

// TestIdentity: a pod is believed only of its own node, and only while it runs.
func TestIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		w.set(append(sums(), ofPods("pods", "sum by (pod) (x)"), ofNothing("volumes", `sum(kubelet_volume_stats_used_bytes{metrics_path="/metrics/cadvisor"})`, "a"))...)
		w.answer("n1", series.Cadvisor, web1, db1, `x{namespace="a",pod="web-2"} 1000`, `x{namespace="a",pod="unknown"} 1000`, `x{namespace="a"} 1000`, `kubelet_volume_stats_used_bytes{namespace="a",persistentvolumeclaim="data"} 3`)
		w.answer("n2", series.Cadvisor, web2)
		if got := w.sum("omit"); got != "a=7000" {
			t.Error(got)
		}
		if got := w.askPods("a", "pods"); got != "db-1=4000 web-1=1000 web-2=2000" {
			t.Error(got)
		}
		// What is in a namespace without being of a pod is volumes.
		if got := w.external("a", "volumes", ""); got != "[3000]" {
			t.Error(got)
		}
	})
}

// TestNotSynced: before the objects are known nothing is said not to exist.
func TestNotSynced(t *testing.T) {
	w := newWorld(t)
	w.provider.options.Nodes = objects.NewNodes(nil)
	if _, err := w.ask("a", "pods", "*", "m", ""); !errors.Is(err, ErrNotSynced) {
		t.Error(err)
	}
	if _, err := w.provider.External(context.Background(), &custommetrics.ExternalQuery{}); !errors.Is(err, ErrNotSynced) {
		t.Error(err)
	}
}
