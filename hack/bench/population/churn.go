// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package population

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
)

// Churn replaces one pod after the other while it runs. It is safe for
// concurrent use.
type Churn struct {
	store    *Store
	kubelets func(ctx context.Context, pod world.Pod) error

	mu struct {
		sync.Mutex
		pods     []world.Pod // by index
		replaced int
	}
}

// NewChurn replaces the pods of w in store and, by kubelets, at the nodes.
func NewChurn(w world.World, store *Store, kubelets func(ctx context.Context, pod world.Pod) error) *Churn {
	c := &Churn{store: store, kubelets: kubelets}
	for index := range w.TotalPods() {
		c.mu.pods = append(c.mu.pods, w.Pod(index, 0))
	}
	return c
}

// Run replaces pods so that each lives for lifetime on average, until ctx ends.
// 0 replaces none.
func (c *Churn) Run(ctx context.Context, lifetime time.Duration) error {
	if lifetime == 0 {
		return nil
	}
	total := len(c.Pods())
	tick := time.NewTicker(max(time.Millisecond, lifetime/time.Duration(total)))
	defer tick.Stop()
	for next := 0; ; next++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		// A stride through all pods that soon comes to every node.
		if err := c.replace(ctx, next*7919%total); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func (c *Churn) replace(ctx context.Context, index int) error {
	c.mu.Lock()
	old := c.mu.pods[index]
	next := c.store.world.Pod(index, old.Generation+1)
	next.Started = time.Now().Truncate(time.Millisecond)
	c.mu.pods[index] = next
	c.mu.replaced++
	c.mu.Unlock()
	if err := c.store.Replace(ctx, old, next); err != nil {
		return err
	}
	return c.kubelets(ctx, next)
}

// Pods returns all pods as they are now, by index.
func (c *Churn) Pods() []world.Pod {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.mu.pods)
}

// Find returns a pod, as it is now, for which match is true.
func (c *Churn) Find(match func(pod *world.Pod) bool) (pod world.Pod, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.mu.pods {
		if match(&c.mu.pods[i]) {
			return c.mu.pods[i], true
		}
	}
	return pod, false
}

// Replaced returns how many pods were replaced.
func (c *Churn) Replaced() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.replaced
}
