// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// expressions are some of which series are given fewer labels, and others.
func expressions() (narrow, wide []string) {
	narrow = []string{
		`sum(x)`, `sum by (pod) (x)`, `avg by (pod, container) (rate(x[2m]))`, `sum by (node) (-x)`,
		`sum by (pod) (rate(x[2m])) / sum by (pod) (y)`, `sum by (pod, container) (rate(x[2m])) / on (pod) group_left () sum by (pod) (y)`,
		`max by (pod) (max_over_time(x[2m])) > 3`, `quantile by (container) (0.5, x * 2)`, `count by (pod) (x > 2)`,
		`sum by (workload) (x)`, `sum by (label_app, pod) (x{workload_type="deployment"})`, `sum by (pod) (x{workload="web"})`,
		`label_replace(sum by (pod) (x), "container", "c", "pod", "(.*)")`, `label_join(sum by (pod, node) (x), "pod", "-", "pod", "node")`,
		`topk(2, sum by (pod) (x))`, `sum by (__name__) (x)`, `max_over_time(sum by (pod) (rate(x[1m]))[2m:15s])`,
		`sum by (pod) (x) or sum by (pod) (y)`, `sum by (pod) (round(rate(x[2m]), 0.1)) unless sum by (pod) (y > 2)`,
		`sum by (none) (x)`, `sum without (pod) (sum by (pod, container) (x))`, `count_values by (pod) ("value", sum by (pod) (x))`,
		`absent(sum by (pod) (x{pod="other"}))`, `sum by (pod) (x offset 30s)`, `group by (pod) (quantile_over_time(0.9, x[2m]))`,
	}
	wide = []string{
		`x`, `rate(x[2m])`, `x * on (pod, container) y`, `sum without (id) (x)`, `sum by (pod) (x / y)`, `topk(2, x)`,
		`sum by (pod) (label_replace(x, "pod", "web-1", "", ""))`, `absent(x{pod="other"})`, `count_values("value", x)`,
		`sum by (pod) (max_over_time(rate(x[1m])[2m:15s]))`, `sum by (pod) (timestamp(x))`, `sum by ("#", pod) (x)`, `sum(x) + on () group_right () y`,
		`sum by (pod) (x) + y`, `sum by (pod) (x * scalar(y))`, `sum by (pod) (x and on (pod) y)`,
	}
	return narrow, wide
}

// TestNarrowed: which expressions are given fewer labels.
func TestNarrowed(t *testing.T) {
	few, all := expressions()
	for _, expr := range append(few, all...) {
		compiled, err := Compile(ofNothing("m", expr, "a"))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := compiled.narrow != nil, slices.Contains(few, expr); got != want {
			t.Errorf("%s: given fewer labels: %v", expr, got)
		}
	}
}

// TestPlainly: an evaluator that has evaluated much, of series with few labels,
// with parsed expressions and memory of before, has the results of a new one that
// has all labels; also at the same time.
func TestPlainly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		w.pod("a", "late", "web")
		few, all := expressions()
		w.set(ofNothing("keep", "rate(x[5m]) + rate(y[5m])", "a"))
		for i := range 10 {
			time.Sleep(15 * time.Second)
			lines := []string{`y{namespace="a",pod="web-1",container="c"} 3`, `y{namespace="a",pod="db-1",container="c"} 2`}
			for j, container := range []string{"c", "d", "d"} {
				for k, pod := range []string{"web-1", "db-1"} {
					lines = append(lines, fmt.Sprintf(`x{namespace="a",pod=%q,container=%q,id="/%d"} %d`, pod, container, j, (j+2*k+1)*(i+1)))
				}
			}
			w.answer("n1", series.Cadvisor, lines...)
			if i < 5 { // It is old by now.
				w.answer("n2", series.Cadvisor, web2)
			}
		}
		at := storage.MillisOf(time.Now())
		used := NewEvaluator(w.recent, w.pods, 0)
		var group sync.WaitGroup
		for round := range 4 {
			for _, expr := range append(few, all...) {
				compiled, err := Compile(ofNothing("m", expr, "a"))
				w.must(err)
				plain := *compiled
				plain.narrow = nil
				want := described(NewEvaluator(w.recent, w.pods, 0).Evaluate(t.Context(), &plain, "a", at, 1))
				check := func() {
					if got := described(used.Evaluate(t.Context(), compiled, "a", at, 1)); got != want {
						t.Errorf("%s:\n%s\nplainly:\n%s", expr, got, want)
					}
				}
				if check(); round == 3 {
					group.Go(check)
				}
			}
		}
		group.Wait()
	})
}

// described is all that is in a result, in an order.
func described(r *Result) string {
	if r.Err != nil {
		return r.Err.Error()
	}
	var lines []string
	for i := range r.Elements {
		e := &r.Elements[i]
		because := ""
		if e.because != nil {
			because = e.because.why.String() + " " + e.because.subject
		}
		lines = append(lines, fmt.Sprintf("%s %v at %d lacks %d: %s", e.Labels, e.Value, e.Time, e.lacks, because))
	}
	slices.Sort(lines)
	return fmt.Sprintf("%s\nmissing %d: %s; none of %v", strings.Join(lines, "\n"), len(r.missing.inputs), r.missing.describe(), r.empty)
}

// sameNodes is whether two expressions are of the same nodes, field by field but for
// matchers, of which String has told.
func sameNodes(a, b parser.Expr) bool {
	list := func(expr parser.Expr) (nodes []string) {
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			if selector, ok := node.(*parser.VectorSelector); ok {
				c := *selector
				c.LabelMatchers = nil
				node = &c
			}
			if node != nil {
				fields := reflect.ValueOf(node).Elem()
				text := fields.Type().Name()
				for _, f := range fields.Fields() {
					if f.Kind() != reflect.Interface && f.Kind() != reflect.Slice && f.Kind() != reflect.Pointer {
						text += fmt.Sprintf(" %v", f.Interface())
					}
				}
				nodes = append(nodes, text)
			}
			return nil
		})
		return nodes
	}
	return slices.Equal(list(a), list(b))
}

// TestPrepared: what is parsed once is, each time, what parsing gives, whatever is
// done to it meanwhile.
func TestPrepared(t *testing.T) {
	p := &preparedParser{Parser: newParser()}
	few, all := expressions()
	for range 3 {
		for _, expr := range append(few, append(all, attempts()...)...) {
			want, err := newParser().ParseExpr(expr)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.ParseExpr(expr)
			if err != nil || got.String() != want.String() || !sameNodes(got, want) {
				t.Errorf("%s: %v, %v", expr, got, err)
			}
		}
	}
	if _, err := p.ParseExpr("("); err == nil {
		t.Error("nonsense is parsed")
	}
	for i := range 2*maxPrepared + 10 {
		if _, err := p.ParseExpr(fmt.Sprintf("x + %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	held := 0
	p.exprs.Range(func(any, any) bool { held++; return true })
	if held > maxPrepared {
		t.Errorf("%d expressions are held", held)
	}
}
