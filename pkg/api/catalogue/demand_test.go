// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// applied is what a Demand has applied, each with the time since the start.
type applied struct {
	mu    sync.Mutex
	start time.Time
	sets  []appliedSet
}

type appliedSet struct {
	after time.Duration
	set   input.Set
}

func (a *applied) apply(set input.Set) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sets = append(a.sets, appliedSet{time.Since(a.start), set})
}

func (a *applied) want(t *testing.T, want ...appliedSet) {
	t.Helper()
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !reflect.DeepEqual(a.sets, want) {
		t.Errorf("%v, want %v", a.sets, want)
	}
}

// runDemand runs a demand in this bubble.
func runDemand(t *testing.T, always ...string) (*Demand, *applied) {
	t.Helper()
	a := &applied{start: time.Now()}
	return runDemandOn(t, a.apply, always...), a
}

func runDemandOn(t *testing.T, apply func(input.Set), always ...string) *Demand {
	t.Helper()
	d, err := NewDemand(always, apply)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return d
}

func TestDemandOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := runDemand(t)
		a.want(t)
		reads, threads := input.SetOf(input.FilesystemReads), input.SetOf(input.Threads)
		start := time.Now()
		if since := d.ask(reads, start); !since.Equal(start) {
			t.Errorf("wanted since %v", since)
		}
		a.want(t, appliedSet{0, reads})
		time.Sleep(time.Minute)
		if since := d.ask(reads, time.Now()); !since.Equal(start) {
			t.Errorf("wanted since %v", since)
		}
		if since := d.ask(reads|threads, time.Now()); since.Sub(start) != time.Minute {
			t.Errorf("both wanted since %v", since)
		}
		time.Sleep(9 * time.Minute)
		d.ask(threads, time.Now())
		want := []appliedSet{{0, reads}, {time.Minute, reads | threads}, {11 * time.Minute, threads}, {20 * time.Minute, 0}}
		time.Sleep(time.Hour)
		a.want(t, want...)
		// It begins anew.
		if since := d.ask(reads, time.Now()); !since.Equal(time.Now()) {
			t.Errorf("wanted since %v", since)
		}
		a.want(t, append(want, appliedSet{70 * time.Minute, reads})...)
		d.ask(0, time.Now())
		a.want(t, append(want, appliedSet{70 * time.Minute, reads})...)
	})
}

func TestDemandOfHPAs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := runDemand(t)
		reads, threads, rss := input.SetOf(input.FilesystemReads), input.SetOf(input.Threads), input.SetOf(input.MemoryRSS)
		d.setHPAs(map[string]input.Set{"shop/a": reads, "shop/b": reads | threads})
		want := []appliedSet{{0, reads | threads}}
		a.want(t, want...)
		time.Sleep(time.Second)
		d.setHPA("shop/b", rss)
		want = append(want, appliedSet{time.Second, reads | rss})
		a.want(t, want...)
		d.setHPA("shop/b", rss)
		d.setHPA("shop/none", 0)
		a.want(t, want...)
		d.ask(rss, time.Now())
		time.Sleep(time.Second)
		// What was asked for stays wanted when the HPA goes.
		d.setHPA("shop/b", 0)
		d.setHPA("shop/a", 0)
		want = append(want, appliedSet{2 * time.Second, rss}, appliedSet{askedFor + time.Second, 0})
		time.Sleep(time.Hour)
		a.want(t, want...)
	})
}

func TestDemandAlways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := runDemand(t, "threads", "cpu_throttled_periods_ratio", "cpu_usage_cores")
		always := input.SetOf(input.Threads, input.NodeThreads, input.CPUPeriods, input.CPUThrottledPeriods)
		a.want(t, appliedSet{0, always})
		d.ask(input.SetOf(input.Threads), time.Now())
		d.setHPAs(map[string]input.Set{"a/b": input.SetOf(input.Threads)})
		d.setHPAs(nil)
		time.Sleep(time.Hour)
		a.want(t, appliedSet{0, always})
	})
	synctest.Test(t, func(t *testing.T) {
		_, a := runDemand(t, AllMetrics)
		a.want(t, appliedSet{0, input.All()})
	})
	if _, err := NewDemand([]string{"threads", "absent"}, nil); err == nil || !strings.Contains(err.Error(), `no metric "absent"`) || !strings.Contains(err.Error(), "cpu_usage_cores, cpu_usage_limit_ratio") {
		t.Error(err)
	}
}

// TestFirstRequest: a request for what nobody wanted has its answer as soon as
// it is there, or says soon enough that it is not.
func TestFirstRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "n1")
		w.pod("shop", "a", "web")
		w.pod("shop", "b", "web")
		d := runDemandOn(t, func(set input.Set) {
			if set != input.SetOf(input.MemoryRSS) {
				return // what comes later is never collected
			}
			go func() {
				time.Sleep(400 * time.Millisecond)
				w.value("shop/a", input.MemoryRSS, 1, at)
				time.Sleep(400 * time.Millisecond)
				w.value("shop/b", input.MemoryRSS, 1, at)
			}()
		})
		p := w.providerWith(d)
		ask := func(ctx context.Context, metric string) (custommetrics.Answer, time.Duration, error) {
			start := time.Now()
			var a custommetrics.Answer
			err := p.Custom(ctx, query("pods", "shop", "*", "", metric), &a)
			return a, time.Since(start), err
		}
		if a, took, err := ask(t.Context(), "memory_rss_bytes"); err != nil || len(a.Values) != 2 || took < 800*time.Millisecond || took > 900*time.Millisecond {
			t.Errorf("%+v, %v after %v", a, err, took)
		}
		_, took, err := ask(t.Context(), "processes")
		if err == nil || !strings.Contains(err.Error(), "not collected from the node yet") || took > 2*time.Second || took < time.Second {
			t.Errorf("%v after %v", err, took)
		}
		// The second request does not wait again.
		if _, took, _ := ask(t.Context(), "processes"); took != 0 {
			t.Errorf("took %v", took)
		}
		// Nor does one for what waits for a second sample.
		w.absent("shop/a", input.NetworkReceiveBytes, storage.OneSample)
		w.absent("shop/b", input.NetworkReceiveBytes, storage.OneSample)
		if _, took, err := ask(t.Context(), receive); err == nil || took != 0 {
			t.Errorf("%v after %v", err, took)
		}
		// Who has gone is not waited for.
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, took, err := ask(ctx, "threads"); err == nil || took != 100*time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
	})
}
