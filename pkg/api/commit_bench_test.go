// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strings"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// BenchmarkCommit commits the answers of 1,000 nodes of 30 pods of 2 containers,
// one node after the other, to a store that is wired to their objects as the
// program is: so that neither a node's state nor its pods are in a cache that is
// near. A third of the samples are those of the answer before, as where a kubelet
// refreshes a container every 15 to 30 s and is asked every 15.
func BenchmarkCommit(b *testing.B) {
	source := newCrowd(b, 30_000, 100)
	store, err := storage.New(storage.Options{
		Resolution: 24 * time.Hour,
		FindPod:    source.Pods.Find,
	})
	if err != nil {
		b.Fatal(err)
	}
	begin := now()
	var batches []*storage.Batch
	for node, keys := range keysByNode(source) {
		layout, _ := storage.NewLayout(keys)
		batches = append(batches, &storage.Batch{Node: node, Received: begin, Layout: layout, Samples: make([]storage.Sample, len(keys))})
	}
	scrape := 0
	commit := func(i int) {
		batch := batches[i%len(batches)]
		batch.Received += 15_000
		for row := range batch.Samples {
			if sample := &batch.Samples[row]; (scrape+row)%3 != 0 || sample.Has == 0 {
				*sample = storage.Sample{
					Start: begin, Time: batch.Received - storage.Millis(row), CPU: sample.CPU + uint64(row+1)*1_000_000,
					Memory: uint64(row+1) << 20, Has: storage.HasCPU | storage.HasMemory | storage.HasSwap,
				}
			}
		}
		if result, err := store.Commit(batch); err != nil || result.Refused != [storage.Refusals]int{} {
			b.Fatalf("commit: %+v, %v", result, err)
		}
	}
	for range 2 {
		for i := range batches {
			commit(i)
		}
		scrape++
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		commit(i)
		if i++; i%len(batches) == 0 {
			scrape++
		}
	}
}

// keysByNode is the containers of a source's pods, in strings of their own as a
// decoder has them.
func keysByNode(source *Source) map[string][]storage.ContainerKey {
	byNode := map[string][]storage.ContainerKey{}
	for pod := range source.Pods.All("") {
		for _, c := range pod.Containers.Statuses {
			byNode[pod.Node] = append(byNode[pod.Node], storage.ContainerKey{
				Namespace: strings.Clone(pod.Namespace), Pod: strings.Clone(pod.Name), Container: strings.Clone(c.Name),
			})
		}
	}
	return byNode
}
