// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// slow is Samples of which some names take their time.
type slow struct {
	Samples
	takes map[string]time.Duration
	reads atomic.Int32
	// running and most are how many reads run, and ran, at once.
	running, most atomic.Int32
}

// Select implements Samples.
func (s *slow) Select(namespace, name string, match func(series.Labels) bool, from, to storage.Millis, each func(series.Points) bool) {
	s.reads.Add(1)
	n := s.running.Add(1)
	defer s.running.Add(-1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	time.Sleep(s.takes[name])
	s.Samples.Select(namespace, name, match, from, to, each)
}

// slowly makes reads of names take their time.
func (w *world) slowly(takes map[string]time.Duration) *slow {
	s := &slow{Samples: w.recent, takes: takes}
	w.provider = New(Options{Samples: s, Nodes: w.nodes, Pods: w.pods, Want: w.recent.Want, Concurrency: 2})
	return s
}

// TestOneEvaluationForAll: who asks at once, or within a second, is answered by
// one evaluation.
func TestOneEvaluationForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		s := w.slowly(map[string]time.Duration{"x": 100 * time.Millisecond})
		w.set(ofPods("metric", "sum by (pod) (x)"))
		w.answer("n1", series.Cadvisor, web1, db1)
		w.answer("n2", series.Cadvisor, web2)
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				if got := w.askPods("a", "metric"); got != "db-1=4000 web-1=1000 web-2=2000" {
					t.Error(got)
				}
			})
		}
		group.Wait()
		w.askPods("a", "metric")
		if n := s.reads.Load(); n != 1 {
			t.Errorf("%d evaluations", n)
		}
		time.Sleep(keptFor)
		w.askPods("a", "metric")
		if n := s.reads.Load(); n != 2 {
			t.Errorf("%d evaluations", n)
		}
	})
}

// TestGoneClient: the result that others wait for is made although the one who
// asked first has gone.
func TestGoneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		w.slowly(map[string]time.Duration{"x": 100 * time.Millisecond})
		w.set(ofNothing("metric", "sum(x)", "a"))
		w.answer("n1", series.Cadvisor, web1, db1)
		w.answer("n2", series.Cadvisor, web2)
		f := w.provider.current.Load()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = f.results.of(ctx, f.external["metric"][0], "a") }()
		synctest.Wait()
		cancel()
		if got := w.external("a", "metric", ""); got != "[7000]" {
			t.Error(got)
		}
		// And who waits does not do so for longer than it wants to.
		time.Sleep(keptFor)
		go w.external("a", "metric", "")
		synctest.Wait()
		gone, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := f.results.of(gone, f.external["metric"][0], "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(time.Second)
	})
}

// TestClumsyRule: a rule that takes too long gets an error, then waits, and others
// go on as if it were not there.
func TestClumsyRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		s := w.slowly(map[string]time.Duration{"slow": 3 * time.Second})
		w.set(ofNothing("clumsy", "sum(slow)", "*"), ofNothing("nimble", "sum(x)", "*"))
		w.answer("n1", series.Cadvisor, web1, db1, `slow{namespace="a",pod="web-1"} 1`)
		w.answer("n2", series.Cadvisor, web2)
		done := make(chan struct{})
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						w.external(fmt.Sprintf("ns-%d", i), "clumsy", "")
						time.Sleep(10 * time.Millisecond)
					}
				}
			})
		}
		for range 60 {
			start := time.Now()
			w.answer("n1", series.Cadvisor, web1, db1)
			w.answer("n2", series.Cadvisor, web2)
			if got := w.external("a", "nimble", ""); got != "[7000]" || time.Since(start) > time.Millisecond {
				t.Errorf("after %v: %s", time.Since(start), got)
			}
			time.Sleep(time.Second)
		}
		if got := w.external("a", "clumsy", ""); !contains(got, "could not be evaluated", "used up its share of CPU") {
			t.Error(got)
		}
		close(done)
		group.Wait()
		// A quarter of 60 s, and what it had to begin with; the nimble one's reads
		// are those beyond.
		if n := s.reads.Load() - 60; n > 9 || s.most.Load() > 2 {
			t.Errorf("%d evaluations, %d at once", n, s.most.Load())
		}
	})
}

// TestTooLong: an expression that goes on for longer than it may ends with a reason.
func TestTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		w.slowly(map[string]time.Duration{"slow": 2 * time.Second})
		w.set(ofNothing("clumsy", "sum(slow)", "a"))
		w.answer("n1", series.Cadvisor, `slow{namespace="a",pod="web-1"} 1`)
		if got := w.external("a", "clumsy", ""); !contains(got, "it takes longer than 1s") {
			t.Error(got)
		}
	})
}

// many is Samples with more series than may be read.
type many struct{ Samples }

// Select implements Samples.
func (many) Select(_, _ string, match func(series.Labels) bool, _, to storage.Millis, each func(series.Points) bool) {
	times, values := make([]storage.Millis, 100_000), make([]float64, 100_000)
	for i := range times {
		times[i] = to - storage.Millis(len(times)-1-i)
	}
	for i := 0; ; i++ {
		l := series.Labels{{Name: "__name__", Value: "x"}, {Name: "metrics_path", Value: "/metrics/cadvisor"}, {Name: "n", Value: fmt.Sprint(i)}, {Name: "namespace", Value: "a"}, {Name: "node", Value: "n1"}, {Name: "pod", Value: "web-1"}}
		if match(l) && !each(series.Points{Series: uint64(i), Labels: l, Times: times, Values: values}) {
			return
		}
	}
}

// TestTooMany: reading ends where it is too much.
func TestTooMany(t *testing.T) {
	w := shop(t)
	compiled, err := Compile(ofNothing("metric", "count(max_over_time(x[5m]))", "a"))
	w.must(err)
	result := NewEvaluator(many{w.recent}, w.pods, 0).Evaluate(t.Context(), compiled, "a", storage.MillisOf(time.Now()), 0)
	if result.Err == nil || !strings.Contains(result.Err.Error(), "reads more than 2000000 samples") {
		t.Error(result.Err)
	}
}

// TestSet: rules are replaced while they are asked for; what reads what it read
// before goes on with it.
func TestSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		w.set(ofPods("kept", "sum by (pod) (x)"), ofPods("changed", "sum by (pod) (x)"), ofPods("dropped", "sum by (pod) (x)"))
		w.answer("n1", series.Cadvisor, web1, db1)
		w.answer("n2", series.Cadvisor, web2)
		listed := w.provider.Metrics()
		done := make(chan struct{})
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						if got := w.askPods("a", "kept"); got != "db-1=4000 web-1=1000 web-2=2000" {
							t.Error(got)
							return
						}
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		var last time.Time
		for i := range 50 {
			time.Sleep(100 * time.Millisecond)
			last = time.Now()
			errs := w.provider.Set([]Rule{ofPods("kept", "sum by (pod) (x)"), ofPods("changed", fmt.Sprintf("sum by (pod) (x) + %d", i)), ofPods("broken", "(")})
			if errs[0] != nil || errs[1] != nil || errs[2] == nil {
				t.Error(errs)
			}
		}
		close(done)
		group.Wait()
		f := w.provider.current.Load()
		key := metricKey{schema.GroupResource{Resource: "pods"}, "kept"}
		if since := f.custom[key].since; since != storage.MillisOf(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("kept since %v", since.Time())
		}
		key.metric = "changed"
		if since := f.custom[key].since; since != storage.MillisOf(last) {
			t.Errorf("changed since %v", since.Time())
		}
		if got := w.askPods("a", "dropped"); !contains(got, "there is no metric dropped") {
			t.Error(got)
		}
		now := w.provider.Metrics()
		if len(listed) != 3 || len(now) != 2 || now[0].Metric != "changed" || !now[0].Namespaced || now[1].Metric != "kept" {
			t.Errorf("listed %v, then %v", listed, now)
		}
		if again := w.provider.Metrics(); &again[0] != &now[0] {
			t.Error("the same listing is made twice")
		}
		w.set()
		if len(w.provider.Metrics()) != 0 || w.recent.Sources() != 0 {
			t.Errorf("without rules: %v, %v", w.provider.Metrics(), w.recent.Sources())
		}
	})
}

func TestBudget(t *testing.T) {
	start := time.Unix(0, 0)
	b := newBudget(start)
	if wait := b.wait(start); wait != 0 {
		t.Errorf("waits %v at first", wait)
	}
	b.spend(start, 6*time.Second)
	if wait := b.wait(start); wait < 4*time.Second || wait > 4*time.Second+10*time.Millisecond {
		t.Errorf("a second overdrawn is waited for %v", wait)
	}
	if wait := b.wait(start.Add(5 * time.Second)); wait != 0 {
		t.Errorf("waits %v", wait)
	}
	b.wait(start.Add(time.Hour))
	b.spend(start.Add(time.Hour), budgetMost+time.Millisecond)
	if b.wait(start.Add(time.Hour)) == 0 {
		t.Error("more is saved up than may be")
	}
}

// TestResultsAreForgotten: asking for ever new namespaces takes no ever more memory.
func TestResultsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		w.set(ofNothing("metric", "sum(x)", "*"))
		for i := range 2*maxKept + 100 {
			w.external(fmt.Sprintf("ns-%d", i), "metric", "")
			time.Sleep(time.Millisecond)
		}
		results := w.provider.current.Load().results
		if n := len(results.mu.byKey); n > maxKept {
			t.Errorf("%d results are kept", n)
		}
	})
}

// TestResultsAreBounded: however many ask at once, no more results are kept than may
// be, those that are still good among them.
func TestResultsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := shop(t)
		s := w.slowly(map[string]time.Duration{"slow": 500 * time.Millisecond})
		w.set(ofNothing("quick", "sum(x)", "*"), ofNothing("slow", "sum(slow)", "*"))
		for i := range maxKept + 10 { // At one moment: all are good.
			w.external(fmt.Sprintf("ns-%d", i), "quick", "")
			if n := w.provider.Kept(); n > maxKept {
				t.Fatalf("%d results are kept", n)
			}
		}
		if n := w.provider.Kept(); n < maxKept*7/8 {
			t.Errorf("%d results are kept", n)
		}
		if n := s.reads.Load(); n != maxKept+10 {
			t.Errorf("%d evaluations", n)
		}
		time.Sleep(sweptEvery)
		// And as many are waited for: others are told so at once.
		var group sync.WaitGroup
		for i := range maxKept {
			group.Go(func() { w.external(fmt.Sprintf("ns-%d", i), "slow", "") })
		}
		synctest.Wait()
		if n := w.provider.Kept(); n != maxKept {
			t.Errorf("%d results are kept", n)
		}
		if got := w.external("one-more", "quick", ""); !contains(got, "could not be evaluated: 4096 evaluations are waiting already") {
			t.Error(got)
		}
		group.Wait()
		time.Sleep(sweptEvery)
		if got := w.external("one-more", "quick", ""); contains(got, "waiting") || w.provider.Kept() != 1 {
			t.Errorf("%s; %d are kept", got, w.provider.Kept())
		}
	})
}
