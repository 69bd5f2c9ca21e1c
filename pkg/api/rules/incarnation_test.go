// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// begins is when a pod begins that does so now, by its node's clock.
func (w *world) begins() podOption { return begun(time.Now().Add(-w.offset.Duration())) }

// tell is what n1 says of db-0, which counts from there, and of db-1.
func (w *world) tell(counted int) {
	w.answer("n1", series.Resource,
		fmt.Sprintf(`cpu{namespace="a",pod="db-0",container="c"} %d`, counted), `cpu{namespace="a",pod="db-1",container="c"} 4`,
		fmt.Sprintf(`rx{namespace="a",pod="db-0",id="/pod%d"} %d`, counted/1_000_000, counted), `rx{namespace="a",pod="db-1",id="/pod"} 4`)
}

// TestIncarnations: a pod that takes another's name on the same node begins with
// nothing, in each way to look back, whatever the node's clock says.
func TestIncarnations(t *testing.T) {
	for _, offset := range []time.Duration{0, time.Hour, -time.Hour} {
		t.Run(offset.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { incarnations(t, storage.MillisIn(offset)) })
		})
	}
}

func incarnations(t *testing.T, offset storage.Millis) {
	w := newWorld(t, "n1")
	w.offset = offset
	const path = `{metrics_path="/metrics/resource"}`
	expressions := []string{
		"cpu" + path, "max_over_time(cpu" + path + "[3m])", "count_over_time(cpu" + path + "[3m])",
		"cpu" + path + " offset 1m", "max_over_time(cpu" + path + "[3m:15s])",
		"rate(cpu" + path + "[3m])", "sum without (id) (rate(rx" + path + "[3m]))", "max without (id) (max_over_time(rx" + path + "[3m]))",
	}
	rules := []Rule{{Name: "sum", Attach: Attach{Resource: "namespaces"}, Expr: "sum(cpu" + path + ")"}}
	for i, expr := range expressions {
		rules = append(rules, ofPods(fmt.Sprintf("rule_%d", i), expr))
	}
	w.set(rules...)
	w.pod("a", "db-0", "db", w.begins())
	w.pod("a", "db-1", "db", w.begins())
	// ask is the values of db-0, "-" where it has none.
	ask := func() string {
		time.Sleep(2 * keptFor)
		var got []string
		for i := range expressions {
			values, err := w.ask("a", "pods", custommetrics.AllObjects, fmt.Sprintf("rule_%d", i), "")
			if err != nil {
				t.Error(err)
			}
			text := "-"
			if v, ok := values["db-0"]; ok {
				text = fmt.Sprint(v.Milli / 1000)
			}
			got = append(got, text)
		}
		return strings.Join(got, " ")
	}
	sum := func() string { return text(w.ask("", "namespaces", "a", "sum", "")) }
	for i := range 20 {
		time.Sleep(15 * time.Second)
		w.tell(1000_000 + 15_000*i)
	}
	if got, want := ask(), "1285000 1285000 12 1225000 1285000 1000 1000 1285000"; got != want {
		t.Errorf("of the first: %s, want %s", got, want)
	}
	// It is deleted and comes again. Until the node says something of it, nothing is
	// known of it, and nothing of the one before is; it is too young to be waited for.
	w.pod("a", "db-0", "db", w.begins())
	if got, want := ask(), "- - - - - - - -"; got != want {
		t.Errorf("of the second, before its node answers: %s, want %s", got, want)
	}
	if got := sum(); got != "a=4000" {
		t.Error(got)
	}
	time.Sleep(10 * time.Second)
	w.tell(9_000_000)
	if got, want := ask(), "9000000 9000000 1 - 9000000 - - 9000000"; got != want {
		t.Errorf("of its first sample: %s, want %s", got, want)
	}
	time.Sleep(13 * time.Second)
	w.tell(9_015_000)
	// 15,000 in 15 s, and as much as PromQL makes of a series that begins in the range.
	if got, want := ask(), "9015000 9015000 2 - 9015000 136 136 9015000"; got != want {
		t.Errorf("of its second sample: %s, want %s", got, want)
	}
	if got := sum(); got != "a=9015004000" {
		t.Error(got)
	}
}

// TestSilentSinceItBegan: what a node said before a pod began says nothing of the pod,
// however old samples may be; but a young pod is not waited for.
func TestSilentSinceItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		w.set(Rule{Name: "omit", Attach: Attach{Resource: "namespaces"}, Expr: "sum(x)", MaxAge: 10 * time.Minute})
		w.answer("n1", series.Cadvisor, web1, db1)
		w.answer("n2", series.Cadvisor, web2)
		if got := w.sum("omit"); got != "a=7000" {
			t.Error(got)
		}
		time.Sleep(time.Minute)
		w.pod("a", "web-2", "web", onNode("n2"), w.begins())
		if got := w.sum("omit"); got != "a=5000" {
			t.Error(got)
		}
		time.Sleep(settledAge)
		if got := w.sum("omit"); !contains(got, "samples are missing", "its node has not answered (web-2)") {
			t.Error(got)
		}
		// A node that answers and says nothing of it has nothing to say.
		w.answer("n2", series.Cadvisor)
		if got := w.sum("omit"); got != "a=5000" {
			t.Error(got)
		}
		w.answer("n2", series.Cadvisor, web2)
		if got := w.sum("omit"); got != "a=7000" {
			t.Error(got)
		}
	})
}

// replaced is Samples during the second read of which a pod is replaced.
type replaced struct {
	Samples
	reads   int
	replace func()
}

// Select implements Samples.
func (r *replaced) Select(namespace, name string, match func(series.Labels) bool, from, to storage.Millis, each func(series.Points) bool) {
	if r.reads++; r.reads == 2 {
		r.replace()
	}
	r.Samples.Select(namespace, name, match, from, to, each)
}

// TestReplacedMeanwhile: all selectors of one evaluation see the same pods.
func TestReplacedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		samples := &replaced{Samples: w.recent, replace: func() {
			w.pod("a", "web-1", "web", begun(time.Now().Add(-5*time.Second)))
		}}
		w.set(ofPods("keep", "x + y"))
		w.answer("n1", series.Cadvisor, web1+" 10s", `y{namespace="a",pod="web-1",container="c"} 3`)
		compiled, err := Compile(ofPods("ratio", "sum by (pod) (y) / sum by (pod) (x)"))
		w.must(err)
		evaluate := func() int {
			result := NewEvaluator(samples, w.pods, 0).Evaluate(t.Context(), compiled, "a", storage.MillisOf(time.Now()), 0)
			w.must(result.Err)
			return len(result.byObject["web-1"])
		}
		if evaluate() != 1 {
			t.Error("y of the second pod over x of the first, or neither")
		}
		if evaluate() != 0 {
			t.Error("the second pod has the first's x")
		}
	})
}
