// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/phase"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

func TestScrapesFollowThePhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.node("node-1")
		r.manager.Set(target("node-1"))
		r.run()
		time.Sleep(2 * time.Minute)
		times := r.times("node-1")
		if len(times) < 8 || times[0] != 0 {
			t.Fatalf("asked at %v, want at once and each 15 s", times)
		}
		want := phase.Of("node-1", 15*time.Second, 1)
		for _, at := range times[1:] {
			if got := time.Duration(r.epoch.Add(at).UnixNano() % int64(15*time.Second)).Truncate(time.Millisecond); got != want.Truncate(time.Millisecond) {
				t.Errorf("asked at %v, at phase %v; want %v", at, got, want)
			}
		}
		if got := r.network.Dials("node-1:10250"); got != 1 {
			t.Errorf("dialed %d times", got)
		}
		if s := r.status("node-1"); s.State != Up || s.Address != "node-1:10250" || s.Stats.Containers != 6 || s.Error != "" {
			t.Errorf("status: %+v", s)
		}
	})
}

func TestBridging(t *testing.T) {
	tests := map[string]struct {
		options Options
		fault   kubelettest.Fault
		age     time.Duration // of the containers
		times   int           // of asking in the first 14 s
		summary int           // requests for it in the first minute
		logged  int
	}{
		"all rated at once":     {age: time.Hour, times: 1, summary: 1},
		"summary not allowed":   {fault: kubelettest.Fault{SummaryStatus: 403}, age: time.Hour, times: 3, summary: 1, logged: 1},
		"summary not there":     {fault: kubelettest.Fault{SummaryStatus: 404}, age: time.Hour, times: 3, summary: 1, logged: 1},
		"summary fails":         {fault: kubelettest.Fault{SummaryStatus: 500}, age: time.Hour, times: 3, summary: 3},
		"summary switched off":  {options: Options{NoSummary: true}, age: time.Hour, times: 3},
		"kubelet knows no rate": {age: 9 * time.Second, times: 3, summary: 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, test.options)
				k := r.node("node-1")
				k.SetUsage(kubelettest.Uniform(3, 2, r.epoch.Add(-test.age)))
				k.SetFault(test.fault)
				r.manager.Set(target("node-1"))
				r.run()
				time.Sleep(14 * time.Second)
				want := phase.Of("node-1", 15*time.Second, 1)
				if got := len(r.times("node-1")); got < test.times || got > test.times+1 {
					t.Errorf("asked at %v in 14 s (phase %v), want %d times", r.times("node-1"), want, test.times)
				}
				time.Sleep(46 * time.Second)
				if got := k.Requests("/stats/summary"); got != test.summary && test.summary <= 2 {
					t.Errorf("asked for the summary %d times, want %d", got, test.summary)
				}
				if s := r.status("node-1"); s.Bridging || s.Unrated != 0 {
					t.Errorf("after a minute: %+v", s)
				}
				if got := len(r.logs.containing("/stats/summary")); got != test.logged {
					t.Errorf("logged %d times: %v", got, r.logs.lines)
				}
				steady := r.times("node-1")
				if n := len(steady); steady[n-1]-steady[n-2] != 15*time.Second {
					t.Errorf("after bridging: asked at %v", steady)
				}
			})
		})
	}
}

func TestANewSampleBetweenTheTwoAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		k := r.node("node-1")
		r.manager.Set(target("node-1"))
		// The first commit is between the two.
		r.store.committing = func(n int) {
			if n == 1 {
				u := kubelettest.Uniform(3, 2, r.epoch.Add(-time.Hour-time.Second))
				k.SetUsage(u)
			}
		}
		r.run()
		if s := r.status("node-1"); !s.Bridging || s.Unrated == 0 {
			t.Fatalf("status: %+v", s)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s := r.status("node-1"); s.Bridging || s.Unrated != 0 {
			t.Errorf("a second later: %+v", s)
		}
	})
}

// TestIdleContainersHurryNobody: a rate of 0 is what the kubelet says where it knows
// none, and of most that is idle it never does.
func TestIdleContainersHurryNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		k := r.node("node-1")
		u := kubelettest.Uniform(3, 2, r.epoch.Add(-time.Hour))
		u.Pods[0].Containers[0].CPU = 0
		k.SetUsage(u)
		r.manager.Set(target("node-1"))
		r.run()
		time.Sleep(4 * time.Second)
		if got := r.times("node-1"); len(got) != 1 {
			t.Errorf("asked at %v in the first 4 s", got)
		}
	})
}

func TestBridgingEndsAfterThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		k := r.node("node-1")
		// A container that is never refreshed never has a rate.
		u := kubelettest.Uniform(1, 1, r.epoch.Add(-time.Hour))
		u.Pods[0].Containers[0].Refresh = 50 * time.Minute
		k.SetUsage(u)
		k.SetFault(kubelettest.Fault{SummaryStatus: 403})
		r.manager.Set(target("node-1"))
		r.run()
		time.Sleep(29 * time.Second)
		if got := len(r.times("node-1")); got != 6 {
			t.Errorf("asked at %v in the first 29 s", r.times("node-1"))
		}
		time.Sleep(2 * time.Minute)
		if got := len(r.times("node-1")); got > 6+9 {
			t.Errorf("bridging does not end: asked at %v", r.times("node-1"))
		}
	})
}

func TestClockOffsetIsInTheBatchAndShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		k := r.node("node-1")
		k.SetFault(kubelettest.Fault{Skew: -time.Hour})
		r.node("node-2").SetFault(kubelettest.Fault{Skew: time.Second})
		r.manager.Set(target("node-1"))
		r.manager.Set(target("node-2"))
		r.run()
		time.Sleep(5 * time.Minute)
		batches := r.store.committed("node-1")
		for _, b := range batches {
			if b.Offset != batches[0].Offset || b.Offset < 3_599_000 || b.Offset > 3_601_000 {
				t.Fatalf("offset %d after %d", b.Offset, batches[0].Offset)
			}
		}
		usage, absence := r.store.Node("node-1", storage.MillisOf(time.Now()))
		if absence != storage.Present || usage.Time.Time().After(time.Now()) || time.Since(usage.Time.Time()) > time.Minute {
			t.Errorf("node: %v, at %v", absence, usage.Time.Time())
		}
		text := gather(t, r.manager)
		if !strings.Contains(text, `metrics_apiserver_scrape_clock_offset_seconds{node="node-1"}`) {
			t.Error("the offset is not shown")
		}
		if strings.Contains(text, `metrics_apiserver_scrape_clock_offset_seconds{node="node-2"}`) {
			t.Error("an offset within the tolerance is shown")
		}
		k.SetFault(kubelettest.Fault{})
		time.Sleep(time.Minute)
		if strings.Contains(gather(t, r.manager), "clock_offset_seconds{") {
			t.Error("the offset is shown after it is gone")
		}
	})
}

type stuckDecoder struct{ until chan struct{} }

func (d stuckDecoder) Resource([]byte, storage.Millis, *storage.Batch) (kubelet.Stats, error) {
	<-d.until
	panic("stuck")
}

func (d stuckDecoder) Summary([]byte, *storage.Batch) (kubelet.Stats, error) {
	return kubelet.Stats{}, errors.ErrUnsupported
}

func (stuckDecoder) Release() {}

func TestAPanicOfTheDecoderCostsOneScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		k := r.node("node-1")
		open := make(chan struct{})
		close(open)
		good := r.manager.newDecoder
		r.manager.newDecoder = func() decoder { return stuckDecoder{open} }
		r.manager.Set(target("node-1"))
		r.manager.newDecoder = good
		r.run()
		if s := r.status("node-1"); s.Reason != reasonBug {
			t.Errorf("status: %+v", s)
		}
		time.Sleep(time.Minute)
		if s := r.status("node-1"); s.State != Up {
			t.Errorf("status: %+v", s)
		}
		if got := len(r.logs.containing("panicked")); got != 2 { // The bug, and the node's outage.
			t.Errorf("logged %q", r.logs.lines)
		}
		if open, _ := k.Connections(); open != 1 {
			t.Errorf("%d connections", open)
		}
	})
}

func TestAProblemIsAFailureUntilItIsSolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.node("node-1")
		bad := target("node-1")
		bad.Addresses, bad.Problem = nil, "node has no address"
		r.manager.Set(bad)
		r.run()
		time.Sleep(time.Minute)
		if s := r.status("node-1"); s.Reason != reasonTarget || s.Error != bad.Problem {
			t.Errorf("status: %+v", s)
		}
		r.manager.Set(target("node-1"))
		time.Sleep(firstRetry(15 * time.Second)) // Where it was tried just before.
		synctest.Wait()
		if s := r.status("node-1"); s.State != Up {
			t.Errorf("status: %+v", s)
		}
	})
}

// TestChangesHurryWithin: a failing node that changes what is known of it all the time is
// not asked more often than one that has just begun to fail.
func TestChangesHurryWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		k := r.node("node-1")
		k.SetFault(kubelettest.Fault{Status: http.StatusInternalServerError})
		addresses := []Address{{Type: "Hostname", Host: "node-1"}, {Type: "Hostname", Host: "other"}}
		changing := target("node-1")
		r.manager.Set(changing)
		r.run()
		time.Sleep(time.Minute)
		before := k.Requests(DefaultResourcePath)
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			slices.Reverse(addresses)
			changing.Addresses = slices.Clone(addresses)
			r.manager.Set(changing)
			synctest.Wait()
		}
		// Every two seconds, and where a retry was due anyway, which is in phase.
		if asked := k.Requests(DefaultResourcePath) - before; asked < 10 || asked > 31+4 {
			t.Errorf("asked %d times within a minute", asked)
		}
	})
}
