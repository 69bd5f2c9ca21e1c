// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"errors"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestJoin holds what becomes of an answer when it is read for a pod that the
// cluster knows.
func TestJoin(t *testing.T) {
	f := func(name string, steps ...step) {
		t.Helper()
		t.Run(name, func(t *testing.T) { t.Helper(); play(t, steps...) })
	}
	app := func(when, cpuSeconds float64) line { return read("web/app", when, cpuSeconds).started(-500) }

	f("a sample older than the pod's start is of an earlier pod of that name",
		scrape(15, app(12, 100)),
		scrape(30, app(28, 108)),
		podStarted("web", 28.001),
		answers(30, "web", "predates"))
	f("one at the pod's start is its own",
		scrape(15, app(12, 100)),
		scrape(30, app(28, 108)),
		podStarted("web", 28),
		answers(30, "web", "28/16 app=500m"))
	f("the pod's start is by the node's clock, as its samples are",
		clock(3600),
		scrape(15, read("web/app", 12-3600, 100)),
		scrape(30, read("web/app", 28-3600, 108)),
		podStarted("web", 28-3600),
		answers(30, "web", "28/16 app=500m"),
		podStarted("web", 28.001-3600),
		answers(30, "web", "predates"))
	f("a pod recreated under its name is served from its own samples",
		scrape(15, app(12, 100)),
		scrape(30, app(28, 108)),
		podStarted("web", 32),
		scrape(45, read("web/app", 41, 1).started(35)),
		answers(45, "web", "predates"),
		scrape(60, read("web/app", 56, 4).started(35)),
		answers(60, "web", "56/15 app=200m"))
	f("and not with a container of the earlier pod",
		scrape(15, app(12, 100), read("web/old", 12, 1)),
		scrape(30, app(28, 108), read("web/old", 28, 1)),
		podStarted("web", 32), cluster("web", "app"),
		scrape(45, read("web/app", 44, 2).started(34)),
		answers(45, "web", "44/10 app=200m"))

	f("samples of a pod that the cluster does not know yet are kept",
		scrape(15, app(12, 100)),
		scrape(30, app(28, 108)),
		cluster("web", "app"),
		answers(30, "web", "28/16 app=500m"))
	f("but not served while they lack a container that runs",
		scrape(15, app(12, 100)),
		scrape(30, app(28, 108)),
		cluster("web", "app", "proxy"),
		answers(30, "web", "incomplete"),
		scrape(45, app(43, 114), read("web/proxy", 43, 3).started(28)),
		answers(45, "web", "43/15 app=400m proxy=200m"))
	f("a container that waits may be lacking",
		scrape(15, app(12, 100)),
		scrape(30, app(28, 108)),
		cluster("web", "app", "-bad"),
		answers(30, "web", "28/16 app=500m"))
	f("an answer once complete stays though a container begins to run",
		cluster("web", "app", "-proxy"),
		scrape(15, app(12, 100)),
		scrape(30, app(28, 108)),
		cluster("web", "app", "proxy"),
		answers(30, "web", "28/16 app=500m"),
		scrape(45, app(43, 108), read("web/proxy", 44, 1).started(40)),
		answers(45, "web", "28/16 app=500m"))

	f("what another node says of the pod is never served",
		scrapeNode(15, "liar", app(12, 100)),
		scrapeNode(30, "liar", app(28, 108)),
		answers(30, "web", "not scraped"),
		scrape(15, app(12, 200)), scrape(30, app(28, 203.2)),
		answers(30, "web", "28/16 app=200m"),
		scrapeNode(45, "liar", app(43, 900)),
		answers(45, "web", "28/16 app=200m"),
		scrapeNode(46, "liar"),
		answers(46, "web", "28/16 app=200m"))
	f("nor is that of a pod of the same name in another namespace",
		scrape(15, app(12, 100)),
		scrape(30, app(28, 108)),
		func(s *script) {
			usage, absence := s.store.Pod(nil, storage.PodQuery{Node: scriptNode, Namespace: "other", Name: "web"}, at(30))
			if got := show(usage, absence); got != "not reported" {
				s.t.Errorf("got %q", got)
			}
		})
	f("a node that is forgotten is gone, and begins anew",
		scrape(15, app(12, 100)),
		scrape(30, app(28, 108)),
		func(s *script) { s.store.Forget(scriptNode) },
		answers(30, "web", "not scraped"), answersNode(30, "not scraped"),
		scrape(45, app(43, 111)),
		answers(45, "web", "no rate"),
		func(s *script) { s.store.Forget("never seen") })
}

// TestPoints counts what has a rate.
func TestPoints(t *testing.T) {
	counts := func(nodes, containers int) step {
		return func(s *script) {
			s.t.Helper()
			if n, c := s.store.Points(); n != nodes || c != containers {
				s.t.Errorf("got %d nodes and %d containers, want %d and %d", n, c, nodes, containers)
			}
		}
	}
	play(t,
		counts(0, 0),
		scrape(15, read("web/app", 12, 100), read("web/proxy", 12, 1), read("job/app", 12, 1)),
		counts(0, 0),
		nodeUsage(read("", 29, 5).sample, 7),
		scrape(30, read("web/app", 28, 100), read("web/proxy", 28, 1), read("job/app", 12, 1)),
		counts(1, 2),
		scrapeNode(30, "node-b", read("db/app", 28, 100).estimated(1)),
		counts(2, 3),
		func(s *script) { s.store.Forget(scriptNode) },
		counts(1, 1))
}

// TestCommitBug holds that a batch that does not fit its layout changes nothing.
func TestCommitBug(t *testing.T) {
	layout, _ := storage.NewLayout([]storage.ContainerKey{{Namespace: "shop", Pod: "web", Container: "app"}})
	store, err := storage.New(storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*storage.Batch{
		"no node":            {Layout: layout, Samples: make([]storage.Sample, 1)},
		"too few samples":    {Node: scriptNode, Layout: layout},
		"too many samples":   {Node: scriptNode, Layout: layout, Samples: make([]storage.Sample, 2)},
		"samples, no layout": {Node: scriptNode, Samples: make([]storage.Sample, 1)},
		"too few estimates":  {Node: scriptNode, Layout: layout, Samples: make([]storage.Sample, 1), Estimates: []uint64{}},
	} {
		if _, err := store.Commit(b); !errors.Is(err, storage.ErrNoNode) {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	if _, absence := store.Node(scriptNode, epoch); absence != storage.NotScraped {
		t.Errorf("got %v after bad batches only", absence)
	}
}

// TestOptions holds the limits of a resolution and the bound that follows it.
func TestOptions(t *testing.T) {
	for _, c := range []struct {
		resolution time.Duration
		ok         bool
	}{{0, true}, {time.Second, true}, {time.Second - 1, false}, {-time.Second, false}, {time.Hour, true}} {
		if _, err := storage.New(storage.Options{Resolution: c.resolution}); (err == nil) != c.ok {
			t.Errorf("resolution %v: got error %v", c.resolution, err)
		}
	}
	for resolution, want := range map[time.Duration]time.Duration{
		10 * time.Second: 50 * time.Second,
		15 * time.Second: 60 * time.Second,
		30 * time.Second: 90 * time.Second,
		60 * time.Second: 180 * time.Second,
	} {
		if got := storage.StalenessBound(resolution); got != want {
			t.Errorf("staleness bound at %v: got %v, want %v", resolution, got, want)
		}
	}
}

// TestMillis holds the way to and from time.Time.
func TestMillis(t *testing.T) {
	if !storage.Millis(0).Time().IsZero() || storage.MillisOf(time.Time{}) != 0 {
		t.Error("zero is not unknown both ways")
	}
	moment := time.UnixMilli(1_700_000_000_123)
	if m := storage.MillisOf(moment); m != 1_700_000_000_123 || !m.Time().Equal(moment) {
		t.Errorf("got %d for %v", m, moment)
	}
	if d := 1500 * time.Millisecond; storage.MillisIn(d) != 1500 || storage.Millis(1500).Duration() != d {
		t.Error("a length of time is not kept")
	}
}

// TestWords holds that every reason has a text of its own.
func TestWords(t *testing.T) {
	seen := map[string]bool{}
	for r := range storage.Refusals {
		seen[r.String()] = true
	}
	for a := storage.Present; a <= storage.OneSample; a++ {
		seen[a.String()] = true
	}
	if want := int(storage.Refusals) + int(storage.OneSample) + 1; len(seen) != want || seen["unknown"] {
		t.Errorf("got %d texts for %d reasons: %v", len(seen), want, seen)
	}
	if storage.Refusals.String() != "unknown" || (storage.OneSample+1).String() != "unknown" {
		t.Error("what is no reason has a text")
	}
}
