// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/phase"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// inputRecorder is an input store that remembers when it was told what.
type inputRecorder struct {
	*input.Store
	mu      sync.Mutex
	commits map[string][]storage.Millis // by node and source, when it was asked
	forgot  map[string]int
}

func (r *inputRecorder) Commit(b *input.Batch) (input.CommitResult, error) {
	r.mu.Lock()
	key := fmt.Sprint(b.Node, " ", b.Source)
	r.commits[key] = append(r.commits[key], b.Sent)
	r.mu.Unlock()
	return r.Store.Commit(b)
}

func (r *inputRecorder) Forget(node string) {
	r.mu.Lock()
	r.forgot[node]++
	r.mu.Unlock()
	r.Store.Forget(node)
}

// times are when a source of a node was asked, since t.
func (r *inputRecorder) times(node string, source input.Source, t time.Time) []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	var times []time.Duration
	for _, sent := range r.commits[fmt.Sprint(node, " ", source)] {
		times = append(times, sent.Time().Sub(t))
	}
	return times
}

// newInputRig is a rig that takes inputs.
func newInputRig(t *testing.T, options Options) (*rig, *inputRecorder) {
	t.Helper()
	store, err := input.New(storage.Options{Resolution: options.Resolution})
	if err != nil {
		t.Fatal(err)
	}
	r := &inputRecorder{Store: store, commits: map[string][]storage.Millis{}, forgot: map[string]int{}}
	options.Inputs = r
	return newRig(t, options), r
}

// podOf is the query for a pod of the rig's nodes.
func podOf(node string, pod kubelettest.Pod) *storage.PodQuery {
	return &storage.PodQuery{Node: node, Namespace: pod.Namespace, Name: pod.Name}
}

// wanted is an input of each source and kind.
func wanted() input.Set {
	return input.SetOf(input.NetworkReceivePackets, input.Threads, input.NetworkReceiveBytes, input.MemoryRSS)
}

// holdValues holds what is served of the pods of a node.
func (r *rig) holdValues(inputs *inputRecorder, node string) {
	r.t.Helper()
	now := storage.MillisOf(time.Now())
	for _, pod := range kubelettest.Uniform(3, 2, r.epoch).Pods {
		for id, want := range map[input.ID]float64{
			input.NetworkReceivePackets: kubelettest.BytesPerSecond / 100,
			input.Threads:               2 * kubelettest.ThreadsPerContainer,
			input.NetworkReceiveBytes:   kubelettest.BytesPerSecond,
			input.MemoryRSS:             float64(pod.Containers[0].Memory+pod.Containers[1].Memory) / 2,
		} {
			tolerance := 0.001
			if id == input.NetworkReceiveBytes {
				tolerance = 0.11 // Whole seconds, over ten at least.
			}
			v, absence := inputs.Pod(podOf(node, pod), id, now, nil)
			if absence != storage.Present || math.Abs(v.Value-want) > tolerance*want {
				r.t.Errorf("at %v: %s %s: got %v, %v, want %v", time.Since(r.epoch), pod.Name, input.Table()[id].Name, v, absence, want)
			}
		}
	}
}

func TestNoDemandNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, inputs := newInputRig(t, Options{})
		k := r.node("node-1")
		r.manager.Set(target("node-1"))
		r.run()
		time.Sleep(2 * time.Minute)
		if n := k.Requests(cadvisorPath); n != 0 {
			t.Errorf("asked %d times", n)
		}
		if n := k.Requests(summaryPath); n != 1 {
			t.Errorf("asked %d times for the summary, want once, for the start", n)
		}
		synctest.Wait()
		if len(inputs.commits) != 0 || r.manager.loops()[0].inputs != nil {
			t.Error("something is held")
		}
	})
}

// TestDemandIsServedAtOnce holds that a new demand has values, rates too, within
// one resolution, and that resource metrics come when they always come.
func TestDemandIsServedAtOnce(t *testing.T) {
	for _, after := range []time.Duration{time.Minute, 63 * time.Second, 65 * time.Second, 71 * time.Second} {
		synctest.Test(t, func(t *testing.T) { testDemandIsServedAtOnce(t, after) })
	}
}

func testDemandIsServedAtOnce(t *testing.T, after time.Duration) {
	r, inputs := newInputRig(t, Options{})
	r.node("node-1")
	r.manager.Set(target("node-1"))
	r.run()
	time.Sleep(after)
	demanded := time.Now()
	r.manager.Demand(wanted())
	time.Sleep(15 * time.Second)
	r.holdValues(inputs, "node-1")
	time.Sleep(2 * time.Minute)
	r.holdValues(inputs, "node-1")
	for source := range input.Sources {
		times := inputs.times("node-1", source, demanded)
		// A scrape that is due very soon takes it along.
		if len(times) < 8 || times[0] > 1500*time.Millisecond+demandGap || times[1]-times[0] < 9*time.Second || times[1]-times[0] > 12*time.Second {
			t.Fatalf("after %v: %v was asked at %v, want at once and about ten seconds later", after, source, times)
		}
		for i := 3; i < len(times); i++ { // With each scrape.
			if gap := times[i] - times[i-1]; gap != 15*time.Second {
				t.Errorf("after %v: %v was asked at %v: %v apart", after, source, times, gap)
			}
		}
	}
	scrapes := r.times("node-1")
	for i := 2; i < len(scrapes); i++ {
		if scrapes[i]-scrapes[i-1] != 15*time.Second {
			t.Errorf("after %v: scraped at %v", after, scrapes)
		}
	}
	if got := r.network.Dials("node-1:10250"); got != 1 {
		t.Errorf("dialed %d times", got)
	}

	// The same demand again is nothing new; a part of it is only less.
	asked := len(inputs.times("node-1", input.Cadvisor, demanded))
	r.manager.Demand(wanted())
	r.manager.Demand(wanted() &^ input.SetOf(input.Threads))
	time.Sleep(10 * time.Millisecond)
	if got := len(inputs.times("node-1", input.Cadvisor, demanded)); got != asked {
		t.Errorf("asked %d times more", got-asked)
	}
}

// TestDemandAtTheStart holds that what is wanted from the start is there in time,
// and that nodes that are added later are asked, too.
func TestDemandAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, inputs := newInputRig(t, Options{})
		r.node("node-1")
		r.node("node-2")
		r.manager.Demand(wanted())
		r.manager.Set(target("node-1"))
		r.run()
		time.Sleep(16 * time.Second)
		r.holdValues(inputs, "node-1")

		r.manager.Set(target("node-2"))
		time.Sleep(16 * time.Second)
		r.holdValues(inputs, "node-2")

		r.manager.Delete("node-2")
		synctest.Wait()
		if _, absence := inputs.Node("node-2", input.MemoryRSS, storage.MillisOf(time.Now())); inputs.forgot["node-2"] != 1 || absence != storage.NotCollected {
			t.Errorf("forgotten %d times; %v", inputs.forgot["node-2"], absence)
		}
	})
}

func TestDemandIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes = 50
		r, inputs := newInputRig(t, Options{})
		for i := range nodes {
			name := fmt.Sprintf("node-%d", i)
			r.node(name)
			r.manager.Set(target(name))
		}
		r.run()
		time.Sleep(time.Minute)
		demanded := time.Now()
		r.manager.Demand(input.SetOf(input.Threads))
		// Scrapes that are due very soon anyway take it along.
		time.Sleep(15 * time.Second)
		var first []time.Duration
		for i := range nodes {
			times := inputs.times(fmt.Sprintf("node-%d", i), input.Cadvisor, demanded)
			if len(times) == 0 {
				t.Fatalf("node %d was not asked", i)
			}
			first = append(first, times[0])
		}
		slices.Sort(first)
		if median := first[nodes/2]; median > nodes*demandGap || first[nodes-1] > 1500*time.Millisecond+nodes*demandGap {
			t.Errorf("nodes were first asked at %v", first)
		}
		if first[0] == first[nodes/4] {
			t.Errorf("nodes were asked at once: %v", first)
		}
	})
}

// TestInputsNeverTouchResources holds that whatever happens to the sources of
// inputs, resource metrics come as they do without.
func TestInputsNeverTouchResources(t *testing.T) {
	for name, test := range map[string]struct {
		fault    kubelettest.Fault
		requests int // at most, in five minutes
		tries    int // for each
		result   string
	}{
		"hangs":       {kubelettest.Fault{Hang: true}, 8, 1, "failed"},
		"drips":       {kubelettest.Fault{Drip: time.Second}, 8, 1, "failed"},
		"resets":      {kubelettest.Fault{Reset: true}, 8, 2, "failed"},
		"is cut":      {kubelettest.Fault{CutAfter: 100}, 8, 1, "failed"},
		"fails":       {kubelettest.Fault{Status: 500}, 8, 1, "failed"},
		"is a bomb":   {kubelettest.Fault{Bomb: 64 << 20}, 8, 1, "failed"},
		"is empty":    {kubelettest.Fault{Bomb: 1}, 8, 1, "failed"},
		"is refused":  {kubelettest.Fault{Status: 403}, 1, 1, "refused"},
		"is not here": {kubelettest.Fault{Status: 404}, 1, 1, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, inputs := newInputRig(t, Options{})
				k := r.node("node-1")
				r.manager.Set(target("node-1"))
				test.fault.Path = cadvisorPath
				k.SetFault(test.fault)
				r.manager.Demand(wanted())
				r.run()
				time.Sleep(5 * time.Minute)

				for i, at := range r.times("node-1")[2:] {
					if got, want := time.Duration(r.epoch.Add(at).UnixNano()%int64(15*time.Second)).Round(10*time.Millisecond), phase.Of("node-1", 15*time.Second, 1).Round(10*time.Millisecond); got != want {
						t.Errorf("scrape %d was %v after its slot", i, got-want)
					}
				}
				s := r.status("node-1")
				if s.State != Up || s.Failures != 0 || s.Error != "" {
					t.Errorf("status: %+v", s)
				}
				requests := k.Requests(cadvisorPath) / test.tries
				if n := requests; n == 0 || n > test.requests {
					t.Errorf("asked %d times, want some and at most %d", n, test.requests)
				}
				metrics := gather(t, r.manager)
				for line := range strings.Lines(metrics) {
					if strings.HasPrefix(line, "metrics_apiserver_scrape_failures_total{") && !strings.HasSuffix(line, " 0\n") {
						t.Errorf("counted as a failed scrape: %s", line)
					}
				}
				if want := fmt.Sprintf("metrics_apiserver_scrape_input_requests_total{result=%q,source=\"cadvisor\"} %d\n", test.result, requests); !strings.Contains(metrics, want) {
					t.Errorf("no %sin\n%s", want, metrics)
				}
				if lines := len(r.logs.containing("ource of custom metrics")); lines != 1 {
					t.Errorf("%d lines: %q", lines, r.logs.lines)
				}
				// The other source is not touched either.
				now := storage.MillisOf(time.Now())
				pod := kubelettest.Uniform(3, 2, r.epoch).Pods[0]
				if v, absence := inputs.Pod(podOf("node-1", pod), input.MemoryRSS, now, nil); absence != storage.Present {
					t.Errorf("of the summary: %v, %v", v, absence)
				}
				if v, absence := inputs.Pod(podOf("node-1", pod), input.Threads, now, nil); absence != storage.NotCollected {
					t.Errorf("of cadvisor: %v, %v", v, absence)
				}

				// It comes back, and says so.
				k.SetFault(kubelettest.Fault{})
				time.Sleep(21 * time.Minute)
				r.holdValues(inputs, "node-1")
				if lines := len(r.logs.containing("is read again")); lines != 1 && test.result != "refused" {
					t.Errorf("%d lines: %q", lines, r.logs.lines)
				}
			})
		})
	}
}

// TestInputsWaitForTheNode holds that a node that fails is not asked for inputs.
func TestInputsWaitForTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, inputs := newInputRig(t, Options{})
		k := r.node("node-1")
		r.manager.Set(target("node-1"))
		k.SetFault(kubelettest.Fault{Path: DefaultResourcePath, Status: 500})
		r.run()
		time.Sleep(time.Minute)
		r.manager.Demand(wanted())
		time.Sleep(time.Minute)
		r.manager.Demand(wanted() &^ input.SetOf(input.Threads))
		if n := k.Requests(cadvisorPath); n != 0 {
			t.Errorf("asked %d times", n)
		}
		k.SetFault(kubelettest.Fault{})
		r.manager.Demand(wanted())
		time.Sleep(time.Minute)
		r.holdValues(inputs, "node-1")
	})
}

func TestWithdrawnDemandDropsMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, inputs := newInputRig(t, Options{})
		k := r.node("node-1")
		r.manager.Set(target("node-1"))
		r.manager.Demand(wanted())
		r.run()
		time.Sleep(time.Minute)
		r.manager.Demand(wanted() & input.Summary.Of())
		cadvisor, summary := k.Requests(cadvisorPath), k.Requests(summaryPath)
		pod := kubelettest.Uniform(3, 2, r.epoch).Pods[0]
		now := storage.MillisOf(time.Now())
		if v, absence := inputs.Pod(podOf("node-1", pod), input.Threads, now, nil); absence != storage.NotCollected {
			t.Errorf("threads: %v, %v", v, absence)
		}
		if v, absence := inputs.Pod(podOf("node-1", pod), input.MemoryRSS, now, nil); absence != storage.Present {
			t.Errorf("RSS: %v, %v", v, absence)
		}
		time.Sleep(time.Minute)
		if got := k.Requests(cadvisorPath); got != cadvisor {
			t.Errorf("asked %d times more", got-cadvisor)
		}
		if got := k.Requests(summaryPath); got != summary+4 {
			t.Errorf("asked %d times for the summary, want 4", got-summary)
		}
		synctest.Wait()
		if l := r.manager.loops()[0]; l.inputs.sources[input.Cadvisor] != (inputSource{}) || l.inputs.sources[input.Summary].layout == nil {
			t.Errorf("the loop holds %+v", l.inputs.sources)
		}
		r.manager.Demand(0)
		synctest.Wait()
		if l := r.manager.loops()[0]; l.inputs != nil {
			t.Errorf("the loop holds %+v", l.inputs)
		}
	})
}

// TestSummaryCanBeSwitchedOff holds that NoSummary is for inputs, too.
func TestSummaryCanBeSwitchedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newInputRig(t, Options{NoSummary: true})
		k := r.node("node-1")
		r.manager.Set(target("node-1"))
		r.manager.Demand(wanted())
		r.run()
		time.Sleep(time.Minute)
		if summary, cadvisor := k.Requests(summaryPath), k.Requests(cadvisorPath); summary != 0 || cadvisor < 4 {
			t.Errorf("asked %d times for the summary, %d times for cadvisor", summary, cadvisor)
		}
	})
}

// TestClockOffsetOfInputs holds that inputs are served by our clock.
func TestClockOffsetOfInputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, inputs := newInputRig(t, Options{})
		k := r.node("node-1")
		k.SetFault(kubelettest.Fault{Skew: -time.Hour})
		r.manager.Set(target("node-1"))
		r.manager.Demand(wanted())
		r.run()
		time.Sleep(time.Minute)
		r.holdValues(inputs, "node-1")
	})
}
