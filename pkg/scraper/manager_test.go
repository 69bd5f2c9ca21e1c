// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// rig is a manager with kubelets in memory, for a bubble.
type rig struct {
	t       *testing.T
	network *kubelettest.Network
	server  *kubelettest.Server
	manager *Manager
	store   *recorder
	logs    *logLines
	stop    context.CancelFunc
	ended   chan error
	epoch   time.Time
}

// recorder is a store that remembers what it was told, and checks that nothing
// comes after a Forget.
type recorder struct {
	*storage.Store
	mu      sync.Mutex
	commits map[string][]storage.Batch // without samples
	forgot  map[string]int
	// committing is called with the number of the commit, where it is not nil.
	committing func(n int)
}

func (r *recorder) Commit(b *storage.Batch) (storage.CommitResult, error) {
	r.mu.Lock()
	head := *b
	head.Samples = nil
	r.commits[b.Node] = append(r.commits[b.Node], head)
	n := len(r.commits[b.Node])
	r.mu.Unlock()
	if r.committing != nil {
		r.committing(n)
	}
	return r.Store.Commit(b)
}

func (r *recorder) Forget(name string) {
	r.mu.Lock()
	r.forgot[name]++
	r.mu.Unlock()
	r.Store.Forget(name)
}

func (r *recorder) committed(name string) []storage.Batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]storage.Batch(nil), r.commits[name]...)
}

func newRig(t *testing.T, options Options) *rig {
	t.Helper()
	store, err := storage.New(storage.Options{Resolution: options.withDefaults().Resolution})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		t: t, network: kubelettest.NewNetwork(), ended: make(chan error, 1), epoch: time.Now(), logs: &logLines{},
		store: &recorder{Store: store, commits: map[string][]storage.Batch{}, forgot: map[string]int{}},
	}
	r.server = kubelettest.NewServer(t, kubelettest.Options{Network: r.network})
	options.Client.Dial = r.network.Dial
	if r.manager, err = New(options, r.store); err != nil {
		t.Fatal(err)
	}
	return r
}

// run starts the manager; it ends with the test, and everything with it.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(klog.NewContext(r.t.Context(), r.logs.logger()))
	r.stop = cancel
	go func() { r.ended <- r.manager.Run(ctx) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-r.ended; err != nil {
			r.t.Errorf("run: %v", err)
		}
		if got := r.manager.client.Counts().InFlightBytes; got != 0 {
			r.t.Errorf("%d bytes of bodies are accounted for at the end", got)
		}
	})
	synctest.Wait()
}

// node starts a kubelet with some pods that have run for an hour.
func (r *rig) node(name string) *kubelettest.Kubelet {
	k := r.server.Start(name, name)
	k.SetUsage(kubelettest.Uniform(3, 2, r.epoch.Add(-time.Hour)))
	return k
}

func target(name string) Target {
	return Target{Name: name, Addresses: []Address{{Type: "Hostname", Host: name}}, Port: 10250, Scheme: "http", ResourcePath: DefaultResourcePath}
}

func (r *rig) status(name string) Status {
	r.t.Helper()
	s, ok := r.manager.Status(name)
	if !ok {
		r.t.Fatalf("no status of %s", name)
	}
	return s
}

// times are when a node's answers were asked for, since the rig's epoch; the
// second commit of a bridging scrape is not one.
func (r *rig) times(name string) []time.Duration {
	var times []time.Duration
	last := storage.Millis(-1)
	for _, b := range r.store.committed(name) {
		if b.Sent != last {
			times = append(times, b.Sent.Time().Sub(r.epoch))
		}
		last = b.Sent
	}
	return times
}

// logLines collects what is logged.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) logger() klog.Logger {
	return klog.New(&logSink{lines: l})
}

func (l *logLines) containing(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

type logSink struct{ lines *logLines }

func (*logSink) Init(klog.RuntimeInfo)               {}
func (*logSink) Enabled(level int) bool              { return level <= 1 }
func (s *logSink) WithValues(...any) klog.LogSink    { return s }
func (s *logSink) WithName(string) klog.LogSink      { return s }
func (s *logSink) Info(_ int, msg string, kv ...any) { s.add(msg, kv) }
func (s *logSink) Error(err error, msg string, kv ...any) {
	s.add(msg, append([]any{"err", err}, kv...))
}

func (s *logSink) add(msg string, kv []any) {
	s.lines.mu.Lock()
	defer s.lines.mu.Unlock()
	s.lines.lines = append(s.lines.lines, fmt.Sprint(append([]any{msg}, kv...)...))
}

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
		want := phase("node-1", 15*time.Second)
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
		"kubelet knows no rate": {age: 9 * time.Second, times: 4, summary: 4},
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
				phase := phase("node-1", 15*time.Second)
				if got := len(r.times("node-1")); got < test.times || got > test.times+1 {
					t.Errorf("asked at %v in 14 s (phase %v), want %d times", r.times("node-1"), phase, test.times)
				}
				time.Sleep(46 * time.Second)
				if got := k.Requests("/stats/summary"); got != test.summary && test.summary <= 1 {
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

// TestANewSampleBetweenTheTwoAnswers: the kubelet takes a new sample of the
// container after it answered for the resource metrics and before it answers
// for the summary, so the estimate is not of the sample that we have.
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

func TestAnOutageIsLoggedTwiceAndHealsWithinTwoResolutions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		k := r.node("node-1")
		r.manager.Set(target("node-1"))
		r.run()
		time.Sleep(time.Minute)
		k.Stop()
		time.Sleep(10 * time.Minute)
		if s := r.status("node-1"); s.State != Down || s.Reason != nodeclient.ReasonDial || s.Failures < 20 || s.Error == "" {
			t.Errorf("status: %+v", s)
		}
		k.Resume()
		before := k.Requests("/stats/summary")
		time.Sleep(30 * time.Second)
		if s := r.status("node-1"); s.State != Up || s.Unrated != 0 {
			t.Errorf("30 s after it was healed: %+v", s)
		}
		if k.Requests("/stats/summary") == before {
			t.Error("the outage was not bridged")
		}
		if got := r.logs.containing("cannot be scraped"); len(got) != 1 {
			t.Errorf("logged %q", got)
		}
		if got := r.logs.containing("scraped again"); len(got) != 1 || !strings.Contains(got[0], "failedScrapes") {
			t.Errorf("logged %q", got)
		}
	})
}

func TestAFlappingNodeGetsALineAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		k := r.node("node-1")
		r.manager.Set(target("node-1"))
		r.run()
		for range 60 {
			k.SetFault(kubelettest.Fault{Status: 500})
			time.Sleep(20 * time.Second)
			k.SetFault(kubelettest.Fault{})
			time.Sleep(20 * time.Second)
		}
		if got := len(r.logs.containing("scraped")); got < 10 || got > 41 {
			t.Errorf("%d lines in 40 minutes", got)
		}
	})
}

func TestSetChangesTheAddressAndKeepsTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.node("node-1")
		moved := r.node("elsewhere")
		r.manager.Set(target("node-1"))
		r.run()
		time.Sleep(time.Minute)
		r.manager.Set(target("node-1")) // The same: nothing.
		asked := len(r.times("node-1"))
		next := target("node-1")
		next.Addresses = []Address{{Type: "Hostname", Host: "elsewhere"}}
		r.manager.Set(next)
		synctest.Wait()
		if got := len(r.times("node-1")); got != asked {
			t.Error("a change of a healthy target's address broke its phase")
		}
		time.Sleep(15 * time.Second)
		if moved.Requests(DefaultResourcePath) != 1 {
			t.Error("the new address was not asked")
		}
		if r.store.forgot["node-1"] != 0 {
			t.Error("the store was made to forget the node")
		}
		if s := r.status("node-1"); s.Address != "elsewhere:10250" {
			t.Errorf("status: %+v", s)
		}
		// A failing node is asked at once when its address changes.
		moved.Stop()
		time.Sleep(5 * time.Minute)
		r.manager.Set(target("node-1"))
		synctest.Wait()
		if s := r.status("node-1"); s.State != Up {
			t.Errorf("after the address was mended: %+v", s)
		}
	})
}

func TestDeleteCancelsAndForgetsWithinASecond(t *testing.T) {
	for name, hinder := range map[string]func(*rig, *kubelettest.Kubelet){
		"idle":           func(*rig, *kubelettest.Kubelet) {},
		"hanging":        func(_ *rig, k *kubelettest.Kubelet) { k.SetFault(kubelettest.Fault{Hang: true}) },
		"dripping":       func(_ *rig, k *kubelettest.Kubelet) { k.SetFault(kubelettest.Fault{Drip: time.Second}) },
		"dialing":        func(r *rig, k *kubelettest.Kubelet) { k.Stop(); r.network.SetSilent("node-1:10250", true) },
		"never answered": func(_ *rig, k *kubelettest.Kubelet) { k.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{})
				k := r.node("node-1")
				r.run()
				if name != "never answered" {
					r.manager.Set(target("node-1"))
					time.Sleep(time.Minute)
				}
				hinder(r, k)
				r.manager.Set(target("node-1"))
				time.Sleep(16 * time.Second)
				r.manager.Delete("node-1")
				synctest.Wait() // No time passes.
				if got := r.store.forgot["node-1"]; got != 1 {
					t.Fatalf("forgotten %d times", got)
				}
				if nodes, containers := r.store.Points(); nodes != 0 || containers != 0 {
					t.Errorf("the store still has %d nodes and %d containers", nodes, containers)
				}
				if _, ok := r.manager.Status("node-1"); ok {
					t.Error("there is still a status")
				}
				commits := len(r.store.committed("node-1"))
				time.Sleep(time.Hour)
				if len(r.store.committed("node-1")) != commits {
					t.Error("committed after it was forgotten")
				}
				if open, _ := k.Connections(); open != 0 {
					t.Errorf("%d connections stay open", open)
				}
				if text := gather(t, r.manager); strings.Contains(text, "node-1") {
					t.Errorf("metrics still name the node:\n%s", text)
				}
			})
		})
	}
}

func TestDeleteAndSetAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		k := r.node("node-1")
		r.manager.Set(target("node-1"))
		r.run()
		time.Sleep(time.Minute)
		k.SetFault(kubelettest.Fault{Hang: true})
		time.Sleep(15 * time.Second)
		for range 10 {
			r.manager.Delete("node-1")
			r.manager.Set(target("node-1"))
		}
		k.SetFault(kubelettest.Fault{})
		synctest.Wait()
		time.Sleep(20 * time.Second)
		if got := r.store.forgot["node-1"]; got < 1 {
			t.Error("the old node was not forgotten")
		}
		if s := r.status("node-1"); s.State != Up {
			t.Errorf("status: %+v", s)
		}
		if open, _ := k.Connections(); open != 1 {
			t.Errorf("%d connections are open", open)
		}
		r.manager.Delete("node-1")
		r.manager.Set(target("node-1"))
		r.manager.Delete("node-1")
		time.Sleep(time.Second)
		if _, ok := r.manager.Status("node-1"); ok {
			t.Error("deleted last, and still there")
		}
	})
}

func TestSetAndDeleteBeforeAndAfterRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.manager.Set(target("node-1"))
		r.manager.Set(target("node-2"))
		r.manager.Delete("node-2")
		if got := len(r.manager.Statuses()); got != 1 {
			t.Errorf("%d targets", got)
		}
		if err := r.manager.Alive(time.Now().Add(time.Hour)); err != nil {
			t.Errorf("alive before Run: %v", err)
		}
		r.run()
		r.stop()
		synctest.Wait()
		r.manager.Set(target("node-3"))
		r.manager.Delete("node-1")
		r.manager.Delete("node-3")
		synctest.Wait()
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

func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		k := r.node("node-1")
		stuck := make(chan struct{})
		r.manager.Set(target("node-1"))
		r.manager.Set(target("node-2")) // Which does not exist.
		k.SetFault(kubelettest.Fault{Hang: true})
		r.run()
		for range 100 {
			time.Sleep(7 * time.Second)
			if err := r.manager.Alive(time.Now()); err != nil {
				t.Fatalf("kubelets do not answer: %v", err)
			}
		}
		k.SetFault(kubelettest.Fault{})
		r.manager.newDecoder = func() decoder { return stuckDecoder{stuck} }
		r.node("node-3")
		r.manager.Set(target("node-3"))
		time.Sleep(2 * time.Minute)
		if err := r.manager.Alive(time.Now()); err == nil || !strings.Contains(err.Error(), "node-3") {
			t.Errorf("a loop is stuck: got %v", err)
		}
		close(stuck)
	})
}

// stuckDecoder does not return until the channel is closed, and panics then.
type stuckDecoder struct{ until chan struct{} }

func (d stuckDecoder) Resource([]byte, storage.Millis, *storage.Batch) (kubelet.Stats, error) {
	<-d.until
	panic("stuck")
}

func (d stuckDecoder) Summary([]byte, *storage.Batch) (kubelet.Stats, error) {
	return kubelet.Stats{}, errors.ErrUnsupported
}

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
		synctest.Wait()
		if s := r.status("node-1"); s.State != Up {
			t.Errorf("status: %+v", s)
		}
	})
}
