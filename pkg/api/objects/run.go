// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"iter"
	goruntime "runtime"
)

// Run is some pods that follow upon each other in a list. Several may be gone
// through at once.
type Run struct {
	// parts is one slice or more of the sorted pods of namespaces.
	parts [][]*heldPod
	count int
}

// Len is how many pods there are in the run.
func (r *Run) Len() int { return r.count }

// Runs is All cut into runs of size pods, and a last one of what is left.
func (p *Pods) Runs(namespace string, size int) []Run {
	sorted := p.sorted(namespace)
	total := 0
	for _, held := range sorted {
		total += len(held)
	}
	runs := make([]Run, 0, (total+size-1)/size)
	parts := make([][]*heldPod, 0, len(sorted)+cap(runs))
	first, count := 0, 0
	cut := func() {
		runs = append(runs, Run{parts: parts[first:len(parts):len(parts)], count: count})
		first, count = len(parts), 0
	}
	for _, held := range sorted {
		for len(held) > 0 {
			n := min(size-count, len(held))
			parts = append(parts, held[:n])
			held = held[n:]
			if count += n; count == size {
				cut()
			}
		}
	}
	if count > 0 {
		cut()
	}
	return runs
}

// All is the pods of the run, each as it is when its turn comes.
func (r *Run) All() iter.Seq[*Pod] {
	return func(yield func(*Pod) bool) {
		var pods [fetched]*Pod
		for _, held := range r.parts {
			for len(held) > 0 {
				n := min(fetched, len(held))
				fetch(&pods, held[:n])
				for _, pod := range pods[:n] {
					if !yield(pod) {
						return
					}
				}
				held = held[n:]
			}
		}
	}
}

// fetched is how many pods are fetched at once: few enough to be in the nearest
// cache until their turn comes.
const fetched = 32

// fetch loads the pods of some places, and reads of each what is about to be
// read of it. Places and pods are scattered over more memory than caches hold:
// here nothing but a pod itself depends on what is read, so that a processor
// waits for many at once; at their turn, it would wait for one after the other.
// See pkg/api's BenchmarkPodList.
func fetch(pods *[fetched]*Pod, held []*heldPod) {
	for i, h := range held {
		pods[i] = h.pod.Load()
	}
	sum := int64(0)
	for i, h := range held {
		pod := pods[i]
		sum += h.place.Fetch() + int64(len(pod.Name)) + int64(pod.Started)
	}
	goruntime.KeepAlive(sum)
}
