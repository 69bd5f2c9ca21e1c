// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// TestEach has every rule evaluated wherever it may be asked for, and leaves out
// what would not be served.
func TestEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		w.pod("b", "web-1", "web")
		w.set(
			ofPods("pods", "sum by (pod) (x)"),
			Rule{Name: "nodes", Attach: Attach{Resource: "nodes"}, Expr: "sum by (node) (y)"},
			Rule{Name: "total", Attach: Attach{Resource: "namespaces"}, Expr: "sum(x)"},
			ofPods("negative", "sum by (pod) (-x)"),
			ofNothing("outside", "sum(x) / 0", "b"),
			ofNothing("everywhere", "count(x)", AllNamespaces),
		)
		each := func() (out []string, evaluated, failed int) {
			time.Sleep(2 * keptFor)
			evaluated, failed = w.provider.Each(t.Context(), func(s Sample) { out = append(out, fmt.Sprint(s.Rule, s.Labels, " ", s.Value)) })
			slices.Sort(out)
			return out, evaluated, failed
		}
		if got, _, _ := each(); len(got) != 0 {
			t.Errorf("before there is a sample: %q", got)
		}
		w.answer("n1", series.Cadvisor, web1, `x{namespace="b",pod="web-1",container="c"} 8`, `y{} 3`)
		check := func(got, there []string, absent ...string) {
			t.Helper()
			for _, one := range there {
				if !slices.Contains(got, one) {
					t.Errorf("%q is not among %q", one, got)
				}
			}
			for _, text := range got {
				if containsAny(text, append(absent, "__name__", "outside")...) {
					t.Errorf("%q is among them", text)
				}
			}
		}
		there := []string{
			`pods{namespace="a", pod="web-1"} 1`, `pods{namespace="b", pod="web-1"} 8`, `total{namespace="b"} 8`,
			`negative{namespace="a", pod="web-1"} -1`, `nodes{node="n1"} 3`, `everywhere{namespace="b"} 1`,
		}
		// n2 has not answered, so that what is of all pods of the namespace a is not known.
		got, evaluated, failed := each()
		check(got, there, `total{namespace="a"}`, `everywhere{namespace="a"}`, `pod="web-2"`)
		// Four rules in two namespaces, one of nodes, one in one namespace.
		if evaluated != 10 || failed != 0 {
			t.Errorf("%d evaluations, of which %d failed: %q", evaluated, failed, got)
		}
		w.answer("n2", series.Cadvisor, web2)
		got, _, _ = each()
		check(got, append(there, `total{namespace="a"} 3`, `everywhere{namespace="a"} 2`, `pods{namespace="a", pod="web-2"} 2`))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if n, _ := w.provider.Each(ctx, func(Sample) { t.Error("after the end") }); n != 0 {
			t.Errorf("%d evaluations after the end", n)
		}
	})
}
