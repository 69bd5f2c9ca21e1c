// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/phase"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// taker is a consumer that counts.
type taker struct {
	mu      sync.Mutex
	sources series.SourceSet
	// panics is where it panics: receiver, open or commit.
	panics string
	got    map[string]int // by event, node and source
	names  map[string]bool
	// stored is the store that must have had the answer before.
	stored *recorder
	late   bool
}

func newTaker(sources ...series.Source) *taker {
	return &taker{sources: series.SourceSetOf(sources...), got: map[string]int{}, names: map[string]bool{}}
}

func (c *taker) Sources() series.SourceSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sources
}

func (c *taker) Receiver(node string, source series.Source) series.Receiver {
	c.note("receiver", node, source)
	return &takerReceiver{c, node, source}
}

func (c *taker) note(event, node string, source series.Source) {
	c.mu.Lock()
	c.got[fmt.Sprint(event, " ", node, " ", source)]++
	panics := c.panics == event
	c.mu.Unlock()
	if panics {
		panic(event)
	}
}

func (c *taker) count(event string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got[event]
}

type takerReceiver struct {
	*taker
	node   string
	source series.Source
}

func (r *takerReceiver) Open(labels series.Labels, _ *series.Metadata) series.Handle {
	r.mu.Lock()
	r.names[strings.Clone(labels.Get(series.NameLabel))] = true
	r.mu.Unlock()
	r.note("open", r.node, r.source)
	return 1
}

func (r *takerReceiver) Commit(b *series.Batch, _ []series.Handle) {
	if r.stored != nil && r.source == series.Resource {
		if commits := r.stored.committed(b.Node); len(commits) == 0 || commits[len(commits)-1].Sent != b.Sent {
			r.late = true
		}
	}
	r.note("commit", r.node, r.source)
}

func (r *takerReceiver) Failed(storage.Millis) { r.note("failed", r.node, r.source) }
func (r *takerReceiver) End(storage.Millis)    { r.note("end", r.node, r.source) }

// TestTap holds that consumers get each answer once, after the store, and that no
// source is asked twice for them.
func TestTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, all := newTaker(series.Resource), newTaker()
		r, _ := newInputRig(t, Options{Series: []series.Consumer{one, all}})
		one.stored = r.store
		k := r.node("n")
		r.manager.Set(target("n"))
		r.run()
		time.Sleep(time.Minute + time.Second)
		if got, want := one.count("commit n resource"), k.Requests(DefaultResourcePath); got != want || one.late || !one.names["container_cpu_usage_seconds_total"] {
			t.Errorf("%d answers of %d; late: %v; names %v", got, want, one.late, one.names)
		}
		if n := k.Requests(cadvisorPath); n != 0 || len(all.got) != 0 {
			t.Errorf("asked %d times for what nobody wants; %v", n, all.got)
		}

		// Everything, while inputs are wanted of the same sources.
		all.mu.Lock()
		all.sources = series.SourceSetOf(series.Resource, series.Cadvisor)
		all.mu.Unlock()
		r.manager.SeriesChanged()
		time.Sleep(time.Second)
		if n := k.Requests(cadvisorPath); n != 1 {
			t.Errorf("asked %d times at once", n)
		}
		r.manager.Demand(wanted())
		time.Sleep(time.Minute)
		if got, want := all.count("commit n cadvisor"), k.Requests(cadvisorPath); got != want || got < 4 {
			t.Errorf("%d answers of cadvisor, asked %d times", got, want)
		}
		if got, want := one.count("commit n resource"), k.Requests(DefaultResourcePath); got != want || all.count("commit n resource") < 3 {
			t.Errorf("%d answers of %d; %v", got, want, all.got)
		}

		// Less again: inputs go on.
		all.mu.Lock()
		all.sources = 0
		all.mu.Unlock()
		r.manager.SeriesChanged()
		asked := k.Requests(cadvisorPath)
		time.Sleep(time.Minute)
		if all.count("end n cadvisor") != 1 || all.count("end n resource") != 1 || k.Requests(cadvisorPath) < asked+3 {
			t.Errorf("%v; asked %d times, and %d before", all.got, k.Requests(cadvisorPath), asked)
		}
		r.manager.Delete("n")
		synctest.Wait()
		if one.count("end n resource") != 1 {
			t.Errorf("%v", one.got)
		}
	})
}

// TestSelecting: a kubelet that can is asked for what is read and no more, as long as
// nobody wants its series; those who do get all of them, and no answer that lacks some.
func TestSelecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTaker()
		r, _ := newInputRig(t, Options{Series: []series.Consumer{all}})
		k := r.node("n")
		extra := []byte("pod_cpu_usage_seconds_total{namespace=\"a\",pod=\"b\"} 1\n")
		k.SetFault(kubelettest.Fault{Extra: extra})
		node := target("n")
		node.Selects = true
		r.manager.Set(node)
		r.run()
		query := func() string {
			time.Sleep(15 * time.Second)
			synctest.Wait()
			if last := k.LastRequest(); last.URL.Path == DefaultResourcePath {
				return last.URL.RawQuery
			}
			return "another document"
		}
		if got := query(); got != kubelet.ResourceQuery {
			t.Errorf("asked %q", got)
		}
		if s := r.status("n"); s.State != Up || s.Stats.Containers != 6 || s.Unrated != 0 {
			t.Errorf("of a selection: %+v", s)
		}
		want := func(sources series.SourceSet) {
			all.mu.Lock()
			all.sources = sources
			all.mu.Unlock()
			r.manager.SeriesChanged()
		}
		// A consumer that comes while the answer of a selection is waited for does not
		// get it.
		k.SetFault(kubelettest.Fault{Delay: 2 * time.Second, Extra: extra, Times: 1})
		now := time.Now()
		time.Sleep(phase.Next(now, phase.Of("n", 15*time.Second, 1), 15*time.Second).Sub(now) + time.Second)
		want(series.SourceSetOf(series.Resource))
		time.Sleep(2 * time.Second)
		if k.LastRequest().URL.RawQuery != kubelet.ResourceQuery || all.count("commit n resource") != 0 {
			t.Errorf("asked %q, and gave %v of it", k.LastRequest().URL.RawQuery, all.got)
		}
		k.SetFault(kubelettest.Fault{Extra: extra})
		if got := query(); got != "" || all.count("commit n resource") == 0 || !all.names["pod_cpu_usage_seconds_total"] {
			t.Errorf("asked %q while series are wanted; got %v, %v", got, all.got, all.names)
		}
		want(0)
		if got := query(); got != kubelet.ResourceQuery || all.count("end n resource") != 1 {
			t.Errorf("asked %q when they are not any more; %v", got, all.got)
		}
		// An older kubelet.
		node.Selects = false
		r.manager.Set(node)
		if got := query(); got != "" {
			t.Errorf("asked an older kubelet %q", got)
		}
	})
}

// TestTapFailures holds that consumers hear of scrapes that fail.
func TestTapFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTaker(series.Resource, series.Cadvisor)
		r := newRig(t, Options{Series: []series.Consumer{c}})
		k := r.node("n")
		r.manager.Set(target("n"))
		r.run()
		time.Sleep(20 * time.Second)
		k.SetFault(kubelettest.Fault{Status: 500})
		time.Sleep(time.Minute)
		commits := c.count("commit n resource")
		if c.count("failed n resource") < 2 || c.count("failed n cadvisor") < 2 || c.count("receiver n cadvisor") != 1 {
			t.Errorf("%v", c.got)
		}
		k.SetFault(kubelettest.Fault{})
		time.Sleep(2 * time.Minute)
		if c.count("commit n resource") < commits+4 || c.count("end n resource") != 0 {
			t.Errorf("%v", c.got)
		}
	})
}

// TestTapPanics holds that a consumer that panics loses what is its own, and nobody
// else anything.
func TestTapPanics(t *testing.T) {
	for _, at := range []string{"receiver", "open", "commit", "failed", "end"} {
		synctest.Test(t, func(t *testing.T) {
			bad, good := newTaker(series.Resource, series.Cadvisor), newTaker(series.Resource, series.Cadvisor)
			bad.panics = at
			r := newRig(t, Options{Series: []series.Consumer{bad, good}})
			k := r.node("n")
			r.manager.Set(target("n"))
			r.run()
			time.Sleep(time.Minute)
			if got, want := good.count("commit n cadvisor"), k.Requests(cadvisorPath); got != want || got < 3 {
				t.Errorf("%s: %d answers, asked %d times", at, got, want)
			}
			k.SetFault(kubelettest.Fault{Status: 500})
			time.Sleep(time.Minute)
			k.SetFault(kubelettest.Fault{})
			time.Sleep(time.Minute)
			r.manager.Delete("n")
			synctest.Wait()
			if good.count("end n cadvisor") != 1 || r.store.forgot["n"] != 1 || len(r.logs.containing("panicked")) == 0 {
				t.Errorf("%s: %v; %v", at, good.got, r.logs.containing("panicked"))
			}
			if at == "commit" && bad.count("commit n resource") != 1 {
				t.Errorf("called again: %v", bad.got)
			}
		})
	}
}

func TestInstance(t *testing.T) {
	r, err := New(Options{}, &recorder{})
	if err != nil {
		t.Fatal(err)
	}
	r.Set(Target{Name: "n", Port: 10250, Addresses: []Address{{Type: "Hostname", Host: "host"}, {Type: "InternalIP", Host: "fd00::1"}}})
	r.Set(Target{Name: "m", Port: 10250, Addresses: []Address{{Type: "Hostname", Host: "host"}}})
	r.Set(Target{Name: "o"})
	for node, want := range map[string]string{"n": "[fd00::1]:10250", "m": "host:10250", "o": "", "p": ""} {
		if got := r.Instance(node); got != want {
			t.Errorf("Instance(%s) = %q, want %q", node, got, want)
		}
	}
}
