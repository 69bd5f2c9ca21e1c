// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"testing"
	"time"
)

// TestAddresses holds that every node has an address of its own that leads back
// to it.
func TestAddresses(t *testing.T) {
	w := World{Nodes: 130_000, Pods: 1, Containers: 1}
	for node := range w.Nodes {
		address := w.Address(node)
		if !address.IsLoopback() {
			t.Fatalf("node %d has address %v", node, address)
		}
		if got, ok := w.NodeAt(address); !ok || got != node {
			t.Fatalf("address %v of node %d leads to %d, %t", address, node, got, ok)
		}
	}
}

// TestPods holds that names are unique, also between generations, and that
// every node has the same number of pods.
func TestPods(t *testing.T) {
	w := World{Nodes: 100, Pods: 30, Containers: 2, Epoch: time.Unix(1_800_000_000, 0)}
	seen := map[string]bool{}
	perNode := map[int]int{}
	idle := 0
	for index := range w.TotalPods() {
		for generation := range 3 {
			p := w.Pod(index, generation)
			if key := p.Namespace + "/" + p.Name; seen[key] {
				t.Errorf("%s is there twice", key)
			} else {
				seen[key] = true
			}
		}
		p := w.Pod(index, 0)
		perNode[p.Node]++
		if p.Idle {
			idle++
		}
		if !p.Started.Before(w.Epoch) {
			t.Errorf("pod %d started at %v", index, p.Started)
		}
		if (w.Container(p, 0).CPU == 0) != p.Idle {
			t.Errorf("pod %d: idle is %t, CPU %d", index, p.Idle, w.Container(p, 0).CPU)
		}
	}
	for node := range w.Nodes {
		if perNode[node] != w.Pods {
			t.Errorf("node %d has %d pods", node, perNode[node])
		}
	}
	if idle < 240 || idle > 360 {
		t.Errorf("%d of %d pods are idle", idle, w.TotalPods())
	}
	if got := len(w.Namespaces()); got != 10 {
		t.Errorf("%d namespaces", got)
	}
}
