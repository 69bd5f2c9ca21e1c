// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// statsOf are those of the rules of a name; none where there is no rule.
func (w *world) statsOf(name string) Stats {
	w.t.Helper()
	var found Stats
	for _, s := range w.provider.Stats() {
		if s.Rule == name {
			if found.Rule != "" {
				w.t.Errorf("%s comes twice", name)
			}
			found = s
		}
	}
	return found
}

func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		w.slowly(map[string]time.Duration{"x": 2 * time.Millisecond, "slow": 2 * time.Second})
		metric := []Rule{ofPods("metric", "sum by (pod) (x)"), ofNothing("metric", "-sum by (pod) (x)", "a")}
		w.set(append(metric, ofNothing("clumsy", "sum(slow)", "*"), ofPods("twice", "x / on (namespace) group_left () x"))...)
		w.answer("n1", series.Cadvisor, web1, db1)
		w.answer("n2", series.Cadvisor, `slow{namespace="a",pod="web-2"} 1`)
		w.askPods("a", "metric")
		w.askPods("a", "metric")
		w.external("a", "metric", "")
		s := w.statsOf("metric")
		if s.Evaluations != 2 || s.Shared != 1 || len(s.Failures) != 0 || s.Took[3] != 2 || s.Seconds != 0.004 {
			t.Errorf("%+v", s)
		}
		if want := map[string]uint64{"no_result": 2, "negative": 2}; !maps.Equal(s.Omitted, want) {
			t.Errorf("left out: %v, want %v", s.Omitted, want)
		}
		w.askPods("a", "twice")
		if s := w.statsOf("twice"); s.Evaluations != 0 || !maps.Equal(s.Failures, map[string]uint64{"expression": 1}) || s.Took[3]+s.Took[4] != 1 {
			t.Errorf("%+v", s)
		}
		for range 8 {
			w.external("a", "clumsy", "")
			time.Sleep(keptFor)
		}
		w.external("b", "clumsy", "")
		if s := w.statsOf("clumsy"); s.Evaluations != 0 || s.Failures["timeout"] == 0 || s.Failures["over_budget"] != 1 || s.Took[9] != s.Failures["timeout"] {
			t.Errorf("%+v", s)
		}
		// A rule that changes counts on; what is gone is gone.
		w.set(ofPods("metric", "sum by (pod) (x) + 1"))
		if s := w.statsOf("metric"); s.Evaluations != 2 || len(w.provider.Stats()) != 1 {
			t.Errorf("%+v", w.provider.Stats())
		}
		w.set()
		w.set(metric...)
		if s := w.statsOf("metric"); s.Rule == "" || s.Evaluations != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestReasonsHaveLabels: each reason has a label of its own, and is said in words.
func TestReasonsHaveLabels(t *testing.T) {
	seen := []string{}
	for r := present + 1; r < reasons; r++ {
		if r.label() == "" || slices.Contains(seen, r.label()) || r.String() == present.String() {
			t.Errorf("%d: %q, %s", r, r.label(), r)
		}
		seen = append(seen, r.label())
	}
	for f := range failures {
		if f.String() == "" || slices.Contains(seen, f.String()) {
			t.Errorf("%d: %q", f, f)
		}
		seen = append(seen, f.String())
	}
}
