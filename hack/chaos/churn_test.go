// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/chaos/rig"
)

// tryNodeChurn is F4.
func tryNodeChurn(x *trial) {
	const perSecond, life = 50, 40 * time.Second
	nodes := x.times(10_000)
	injected := fmt.Sprintf("%d nodes added and deleted at %d a second, each there for %v", nodes, perSecond, life)
	w := x.world(100, 0) // Their kubelets are shared by those that come and go.
	server := w.Serve(x)
	// What the first request makes is no growth.
	if _, err := server.UsageOfNodes(x.Context()); err != nil {
		x.Fatal(err)
	}
	x.wait(75 * time.Second)
	before, err := server.Stats(x.Context())
	if err != nil {
		x.Fatal(err)
	}

	c := &churn{created: map[string]time.Time{}, deleted: map[string]time.Time{}}
	watching, stop := context.WithCancel(x.Context())
	var group sync.WaitGroup
	group.Go(func() { c.watch(watching, server) })
	tick := time.NewTicker(time.Second / perSecond)
	peak := before
	for i := 0; i < nodes+perSecond*int(life/time.Second) && x.Context().Err() == nil; i++ {
		<-tick.C
		if i < nodes {
			group.Go(func() { c.create(x, w, i) })
		}
		if old := i - perSecond*int(life/time.Second); old >= 0 && old < nodes {
			group.Go(func() { c.delete(x, w, old) })
		}
		if i%500 == 499 {
			if stats, err := server.Stats(x.Context()); err == nil {
				peak.Goroutines, peak.Series = max(peak.Goroutines, stats.Goroutines), max(peak.Series, stats.Series)
				peak.Resident, peak.Sockets = max(peak.Resident, stats.Resident), max(peak.Sockets, stats.Sockets)
			}
		}
	}
	tick.Stop()
	x.wait(5 * time.Second)
	stop()
	group.Wait()

	// What is served now is what was before; memory follows with the garbage.
	var after rig.Stats
	back := func() bool {
		return after.Series <= before.Series+20 && after.Goroutines <= before.Goroutines+20 && after.Sockets <= before.Sockets+20 && after.Heap <= before.Heap+8<<20
	}
	for ended := time.Now(); time.Since(ended) < 3*time.Minute; x.wait(5 * time.Second) {
		if after, err = server.Stats(x.Context()); err != nil {
			x.Fatal(err)
		}
		if back() {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	x.none("F4", injected, "requests that failed", &c.failures, c.requests)
	x.figure("F4", injected, fmt.Sprintf("the longest until one of %d is served (p99 %v)", len(c.served), quantile(c.served, 0.99).Round(100*time.Millisecond)),
		quantile(c.served, 1).Round(100*time.Millisecond), 2*resolution+time.Second, len(c.served) == nodes && quantile(c.served, 1) <= 2*resolution+time.Second)
	x.figure("F4", injected, "the longest that one is served after it was deleted", quantile(c.lingered, 1).Round(10*time.Millisecond), time.Second, len(c.lingered) > 0 && quantile(c.lingered, 1) <= time.Second)
	x.figure("F4", injected, fmt.Sprintf("series (%d at most)", peak.Series), after.Series, fmt.Sprintf("%d + 20", before.Series), after.Series <= before.Series+20)
	x.figure("F4", injected, fmt.Sprintf("goroutines (%d at most)", peak.Goroutines), after.Goroutines, fmt.Sprintf("%d + 20", before.Goroutines), after.Goroutines <= before.Goroutines+20)
	x.figure("F4", injected, fmt.Sprintf("sockets (%d at most)", peak.Sockets), after.Sockets, fmt.Sprintf("%d + 20", before.Sockets), after.Sockets <= before.Sockets+20)
	x.figure("F4", injected, fmt.Sprintf("heap in use (%d MiB resident, %d at most)", after.Resident>>20, peak.Resident>>20), fmt.Sprintf("%d MiB", after.Heap>>20), fmt.Sprintf("%d MiB + 8", before.Heap>>20), after.Heap <= before.Heap+8<<20)
}

// churn is nodes that come and go, and what is seen of them.
type churn struct {
	mu       sync.Mutex
	created  map[string]time.Time // and not seen yet
	deleted  map[string]time.Time // and not forgotten yet
	served   []time.Duration
	lingered []time.Duration
	requests int
	failures findings
}

func name(i int) string { return fmt.Sprintf("f4-come-%05d", i) }

func (c *churn) create(x *trial, w *rig.World, i int) {
	kubelets := w.Nodes()
	err := w.CreateNode(x.Context(), name(i), kubelets[i%len(kubelets)])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	if !c.failures.err(err) {
		c.created[name(i)] = time.Now()
	}
}

func (c *churn) delete(x *trial, w *rig.World, i int) {
	err := w.DeleteNode(x.Context(), name(i))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	if !c.failures.err(err) {
		c.deleted[name(i)] = time.Now()
	}
}

// watch lists nodes until ctx ends.
func (c *churn) watch(ctx context.Context, server *rig.Server) {
	for ctx.Err() == nil {
		asked := time.Now()
		nodes, err := server.UsageOfNodes(ctx)
		now := time.Now()
		c.mu.Lock()
		if err == nil {
			maps.DeleteFunc(c.created, func(name string, at time.Time) bool {
				_, there := nodes[name]
				if there {
					c.served = append(c.served, now.Sub(at))
				}
				return there
			})
			maps.DeleteFunc(c.deleted, func(name string, at time.Time) bool {
				_, there := nodes[name]
				if there {
					c.lingered = append(c.lingered, asked.Sub(at))
				} else {
					c.lingered = append(c.lingered, 0)
				}
				return !there
			})
		} else if ctx.Err() == nil {
			c.failures.err(err)
		}
		c.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}
