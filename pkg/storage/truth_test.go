// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// seeds is how many random histories the model and truth tests play.
var seeds = flag.Uint64("seeds", 8, "random histories of each randomized test")

// TestTruth holds what is served against the truth of a world: never in the
// future or beyond the bound, never more CPU than a container can burn, within
// 1 % where it burns evenly, and a pod once answered stays answered.
func TestTruth(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(seed, scriptNode, 6)
			store, err := storage.New(storage.Options{Resolution: scriptResolve, FindPod: w.findPod})
			if err != nil {
				t.Fatal(err)
			}
			checker := truth{t: t, w: w, store: store, given: map[string]given{}}
			for range 3000 {
				w.pass(w.between(1, 15))
				if w.chance(0.1) {
					continue // a scrape that was missed
				}
				result, err := store.Commit(w.answer())
				if err != nil {
					t.Fatal(err)
				}
				checker.commit(result)
				for range 3 {
					if w.chance(0.3) {
						w.pass(w.between(0, 5))
					}
					checker.read()
				}
			}
			if checker.answered < checker.reads/2 {
				t.Errorf("%d of %d reads had an answer", checker.answered, checker.reads)
			}
			t.Logf("%d of %d reads had an answer", checker.answered, checker.reads)
		})
	}
}

// truth checks answers against a world.
type truth struct {
	t               *testing.T
	w               *world
	store           *storage.Store
	given           map[string]given
	reads, answered int
}

// given is the last answer of a pod.
type given struct {
	born int
	time storage.Millis
}

const bound = 60_000

func (c *truth) commit(result storage.CommitResult) {
	for _, r := range []storage.Refusal{storage.RefusedOutOfOrder, storage.RefusedOverflow} {
		if result.Refused[r] != 0 {
			c.t.Errorf("at %v: an honest node's sample was refused: %v", c.w.now-epoch, r)
		}
	}
}

func (c *truth) read() {
	now := c.w.now
	if u, absence := c.store.Node(c.w.node, now); absence == storage.Present {
		c.times("node", u.Time, u.Window)
		c.burnt("node", u.CPU, &c.w.usage)
	}
	for _, p := range c.w.pods {
		if p.gone {
			continue
		}
		c.reads++
		u, absence := c.store.Pod(nil, c.w.query(p), now)
		last := c.given[p.name]
		if absence != storage.Present {
			if last.born == p.born && now-last.time <= bound && last.time > c.w.stepped {
				c.t.Errorf("at %v: pod %s was answered as of %v, now: %v", now-epoch, p.name, last.time-epoch, absence)
			}
			continue
		}
		c.answered++
		c.given[p.name] = given{born: p.born, time: u.Time}
		c.times(p.name, u.Time, u.Window)
		for i, got := range u.Containers {
			if i > 0 && u.Containers[i-1].Name >= got.Name {
				c.t.Errorf("at %v: pod %s: containers are out of order", now-epoch, p.name)
			}
			for _, container := range p.containers {
				if container.name == got.Name {
					c.burnt(p.name+"/"+got.Name, got.CPU, container)
				}
			}
		}
	}
}

func (c *truth) times(what string, when, window storage.Millis) {
	if age := c.w.now - when; age < 0 || age > bound {
		c.t.Errorf("at %v: %s has age %v ms", c.w.now-epoch, what, age)
	}
	if window <= 0 || window > bound {
		c.t.Errorf("at %v: %s has window %v", c.w.now-epoch, what, window)
	}
}

func (c *truth) burnt(what string, got uint64, container *worldContainer) {
	limit := float64(container.limit)
	if float64(got) > 1.01*limit {
		c.t.Errorf("at %v (clock stepped at %v): %s burns at most %v nanocores, served %d", c.w.now-epoch, c.w.stepped-epoch, what, container.limit, got)
	}
	if container.steady && float64(got) < 0.99*limit {
		c.t.Errorf("at %v (clock stepped at %v): %s burns %v nanocores, served %d", c.w.now-epoch, c.w.stepped-epoch, what, container.limit, got)
	}
}
