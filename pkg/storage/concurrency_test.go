// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Readers read at latest, which no commit is beyond, and the resolution is such
// that nothing is stale then.
const (
	latest    = epoch + 500*20_000
	unhurried = 24 * time.Hour
)

// TestConcurrent commits to, reads and forgets many nodes at once. Commit number
// k of a node gives all its containers the same rate, k nanocores, and the same
// memory, k bytes, and so the node; which containers there are alternates. A
// reader that saw parts of two commits would see two numbers in one answer, or
// see a number go back.
func TestConcurrent(t *testing.T) {
	const nodes, commits, readers = 8, 400, 4
	store, err := storage.New(storage.Options{
		Resolution: unhurried,
		FindPod: statusFunc(func(string, string) ([]storage.ContainerStatus, bool) {
			return []storage.ContainerStatus{{Name: "app", Running: true}}, true
		}).findPod,
	})
	if err != nil {
		t.Fatal(err)
	}
	var writing atomic.Int32
	writing.Store(nodes)
	var group sync.WaitGroup
	for n := range nodes {
		group.Go(func() {
			defer writing.Add(-1)
			c := counting{node: fmt.Sprintf("node-%d", n)}
			for k := range commits {
				if _, err := store.Commit(c.answer(k + 1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Go(func() { // forgets what is never committed, and what is: reads meanwhile see all or nothing
		for writing.Load() > 0 {
			store.Forget("node-never")
			b := (&counting{node: "node-brief"}).answer(1)
			if _, err := store.Commit(b); err != nil {
				t.Error(err)
			}
			store.Forget("node-brief")
		}
	})
	for r := range readers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(r), 9))
			newest := map[string]uint64{}
			for writing.Load() > 0 {
				readWhole(t, store, fmt.Sprintf("node-%d", random.IntN(nodes)), newest)
				readWhole(t, store, "node-brief", map[string]uint64{})
				store.Points()
			}
		})
	}
	group.Wait()
	for n := range nodes {
		newest := map[string]uint64{}
		node := fmt.Sprintf("node-%d", n)
		readWhole(t, store, node, newest)
		if newest[node] != commits {
			t.Errorf("%s serves commit %d at the end, want %d", node, newest[node], commits)
		}
	}
}

// counting gives the answers of one node for TestConcurrent.
type counting struct {
	node    string
	cpu     uint64
	layouts [2]*storage.Layout
	buffer  []storage.Sample
}

// answer is commit k of the node. Its samples are valid until the next call.
func (c *counting) answer(k int) *storage.Batch {
	if c.layouts[0] == nil {
		for i := range c.layouts {
			var keys []storage.ContainerKey
			for pod := range 10 {
				for _, name := range []string{"app", "proxy"}[:1+(pod+i)%2] {
					keys = append(keys, storage.ContainerKey{Namespace: "shop", Pod: fmt.Sprintf("pod-%d", pod), Container: name})
				}
			}
			c.layouts[i], _ = storage.NewLayout(keys)
		}
	}
	// k nanocores over 20 s, or 20 s times the commits since proxy was listed:
	// so all counters grow as if every commit were their own previous one.
	// The layout stays long enough for what lingers to go, so that commits take
	// the fast path, too.
	layout := c.layouts[k/16%2]
	now := epoch + storage.Millis(k)*20_000
	c.cpu += uint64(k) * 20
	c.buffer = slices.Grow(c.buffer[:0], len(layout.Containers))[:len(layout.Containers)]
	for i := range c.buffer {
		c.buffer[i] = storage.Sample{Time: now, CPU: c.cpu, Memory: uint64(k), Has: storage.HasCPU | storage.HasMemory}
	}
	b := &storage.Batch{Node: c.node, Received: now, Layout: layout, Samples: c.buffer}
	b.Usage = storage.Sample{Time: now, CPU: c.cpu, Memory: uint64(k), Has: storage.HasCPU | storage.HasMemory}
	return b
}

// readWhole reads a node and its pods, and checks that each answer is of one
// commit, none older than one read before.
func readWhole(t *testing.T, store *storage.Store, node string, newest map[string]uint64) {
	t.Helper()
	if u, absence := store.Node(node, latest); absence == storage.Present {
		if u.Time != epoch+storage.Millis(u.Memory)*20_000 || u.CPU != u.Memory {
			t.Errorf("%s: torn: %+v", node, u)
		}
		if u.Memory < newest[node] {
			t.Errorf("%s: went back from commit %d to %d", node, newest[node], u.Memory)
		}
		newest[node] = u.Memory
	}
	for pod := range 10 {
		name := fmt.Sprintf("pod-%d", pod)
		u, absence := store.Pod(nil, storage.PodQuery{Node: node, Namespace: "shop", Name: name}, latest)
		if absence != storage.Present {
			continue
		}
		k := u.Containers[0].Memory
		for _, c := range u.Containers {
			if c.Memory != k || u.Time != epoch+storage.Millis(k)*20_000 {
				t.Errorf("%s/%s: torn: %+v", node, name, u)
			}
			if c.Name == "app" && c.CPU != k {
				t.Errorf("%s/%s: commit %d serves %d nanocores", node, name, k, c.CPU)
			}
		}
		if k < newest[node+name] {
			t.Errorf("%s/%s: went back from commit %d to %d", node, name, newest[node+name], k)
		}
		newest[node+name] = k
	}
}

// TestConcurrentCommitsOfOneNode holds that they are serialized: what is held
// after a commit is never older than what it brought.
func TestConcurrentCommitsOfOneNode(t *testing.T) {
	store, err := storage.New(storage.Options{Resolution: unhurried, FindPod: func(string, string) storage.KnownPod {
		runtime.Gosched() // lets others in, in the middle of a commit
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			c := counting{node: "node"}
			newest := epoch
			for k := g; k < 500; k += 4 {
				b := c.answer(k + 1)
				b.Received = latest // so that none is from the future
				b.UsageEstimate = 1 // so that every one can be served
				if _, err := store.Commit(b); err != nil {
					t.Error(err)
				}
				newest = max(newest, b.Usage.Time)
				for range 4 {
					u, absence := store.Node("node", latest)
					if absence != storage.Present || u.Time < newest {
						t.Errorf("after commit %d: got %+v (%v), was at %d", k+1, u, absence, newest)
					}
					newest = max(newest, u.Time)
					runtime.Gosched()
				}
			}
		})
	}
	group.Wait()
}
