// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// The scenario of the benchmarks: nodes of 30 pods of 2 containers, with names
// as long as a Deployment's pods have.
const (
	benchPods       = 30
	benchContainers = 2
)

// benchNode gives the answers of one node, one every 15 s. Where some is not 0, one
// container of so many has no new sample each time.
type benchNode struct {
	batch    storage.Batch
	statuses []storage.ContainerStatus
	some     int
	answers  int
}

func benchKeys(node, pods int) []storage.ContainerKey {
	var keys []storage.ContainerKey
	for pod := range pods {
		name := benchPod(node, pod)
		for _, container := range []string{"istio-proxy", "server"}[:benchContainers] {
			keys = append(keys, storage.ContainerKey{Namespace: fmt.Sprintf("team-%02d", pod%10), Pod: name, Container: container})
		}
	}
	return keys
}

func benchPod(node, pod int) string {
	return fmt.Sprintf("checkout-backend-%05d-7c9d8b6f5-%05d", node, pod)
}

func newBenchNode(node int) *benchNode {
	n := &benchNode{statuses: benchStatuses()}
	n.batch.Node = fmt.Sprintf("node-%05d", node)
	n.batch.Layout, _ = storage.NewLayout(benchKeys(node, benchPods))
	n.batch.Samples = make([]storage.Sample, len(n.batch.Layout.Containers))
	n.next()
	return n
}

func benchStatuses() []storage.ContainerStatus {
	return []storage.ContainerStatus{{Name: "istio-proxy", Running: true}, {Name: "server", Running: true}}
}

// next is the answer 15 s later.
func (n *benchNode) next() *storage.Batch {
	b := &n.batch
	b.Received = max(b.Received, epoch) + 15_000
	n.answers++
	for i := range b.Samples {
		s := &b.Samples[i]
		if n.some != 0 && (i+n.answers)%n.some == 0 && s.Has != 0 {
			continue
		}
		s.Start, s.Time, s.Has = epoch-1_000_000, b.Received-storage.Millis(i), storage.HasCPU|storage.HasMemory
		s.CPU += uint64(i+1) * 1_000_000
		s.Memory = uint64(i+1) << 20
	}
	b.Usage = b.Samples[0]
	return b
}

func newBenchStore(b *testing.B) *storage.Store {
	b.Helper()
	statuses := benchStatuses()
	status := statusFunc(func(string, string) ([]storage.ContainerStatus, bool) { return statuses, true })
	pod := status.findPod("", "") // one for all: what the cluster knows is not the store's
	store, err := storage.New(storage.Options{FindPod: func(string, string) storage.KnownPod { return pod }})
	if err != nil {
		b.Fatal(err)
	}
	return store
}

func commitBench(b *testing.B, store *storage.Store, batch *storage.Batch) {
	b.Helper()
	if result, err := store.Commit(batch); err != nil || result.Refused != [storage.Refusals]int{} {
		b.Fatalf("commit: %+v, %v", result, err)
	}
}

// BenchmarkCommit is a node whose containers are those of the answer before. A
// third has the sample of the answer before, as where the kubelet refreshes a
// container every 15 to 30 s.
func BenchmarkCommit(b *testing.B) {
	store, n := newBenchStore(b), newBenchNode(0)
	n.some = 3
	commitBench(b, store, n.next())
	b.ReportAllocs()
	for b.Loop() {
		commitBench(b, store, n.next())
	}
}

// BenchmarkCommitSame is the same with no sample refreshed, as at every other
// scrape of an idle node.
func BenchmarkCommitSame(b *testing.B) {
	store, n := newBenchStore(b), newBenchNode(0)
	commitBench(b, store, n.next())
	b.ReportAllocs()
	for b.Loop() {
		n.batch.Received += 15
		commitBench(b, store, &n.batch)
	}
}

// BenchmarkCommitChurn is a node one of whose pods comes and goes, so that rows
// linger and every commit merges two layouts.
func BenchmarkCommitChurn(b *testing.B) {
	store, n := newBenchStore(b), newBenchNode(0)
	all := n.batch.Layout
	without, _ := storage.NewLayout(benchKeys(0, benchPods-1))
	samples := n.batch.Samples
	commitBench(b, store, n.next())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n.batch.Layout, n.batch.Samples = all, samples
		n.next()
		if i%2 == 0 {
			n.batch.Layout, n.batch.Samples = without, samples[:len(without.Containers)]
			// Rows of pods are not those of the other layout, but counters only
			// grow, and what would go back is of the pod that goes.
		}
		if _, err := store.Commit(&n.batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommitLingering commits of a node from which a pod is gone, whose last
// answer is still served: what most commits are where pods come and go.
func BenchmarkCommitLingering(b *testing.B) {
	store, n := newBenchStore(b), newBenchNode(0)
	commitBench(b, store, n.next())
	commitBench(b, store, n.next())
	n.batch.Layout, _ = storage.NewLayout(benchKeys(0, benchPods-1))
	n.batch.Samples = n.batch.Samples[:len(n.batch.Layout.Containers)]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.Commit(&n.batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadAll reads all 30,000 pods of 1,000 nodes, as a list of all
// namespaces does, each on another node than the one before: by their names, by
// the places that are kept with them, and from the posts at these places.
func BenchmarkReadAll(b *testing.B) {
	const nodes = 1000
	statuses := benchStatuses()
	status := statusFunc(func(string, string) ([]storage.ContainerStatus, bool) { return statuses, true })
	known := map[string]storage.KnownPod{}
	store, err := storage.New(storage.Options{FindPod: func(namespace, name string) storage.KnownPod {
		if known[name] == nil {
			known[name] = &podNamed{status: status, namespace: namespace, name: name, place: &storage.PodPlace{}}
		}
		return known[name]
	}})
	if err != nil {
		b.Fatal(err)
	}
	var byName, placed, posted []storage.PodQuery
	var now storage.Millis
	for i := range nodes {
		n := newBenchNode(i)
		commitBench(b, store, n.next())
		commitBench(b, store, n.next())
		now = n.batch.Received
		place := &storage.NodePlace{}
		for _, p := range n.batch.Layout.Pods {
			q := storage.PodQuery{
				Node: n.batch.Node, Namespace: p.Namespace, Name: strings.Clone(p.Name), Started: epoch - 2_000_000, Containers: statuses,
			}
			byName = append(byName, q)
			q.Known, q.Place, q.NodePlace = known[q.Name], &storage.PodPlace{}, place
			placed = append(placed, q)
			q.Place = q.Known.Place()
			posted = append(posted, q)
		}
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(byName), func(i, j int) {
		byName[i], byName[j] = byName[j], byName[i]
		placed[i], placed[j] = placed[j], placed[i]
		posted[i], posted[j] = posted[j], posted[i]
	})
	check := func(containers []storage.ContainerUsage, absence storage.Absence) {
		if absence != storage.Present || len(containers) != benchContainers {
			b.Fatalf("%+v: %v", containers, absence)
		}
	}
	run := func(name string, read func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				read()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(byName)), "ns/pod")
		})
	}
	var containers []storage.ContainerUsage
	for _, way := range []struct {
		name    string
		queries []storage.PodQuery
	}{{"names", byName}, {"places", placed}, {"posts", posted}} {
		run(way.name, func() {
			for i := range way.queries {
				usage, absence := store.Pod(containers[:0], way.queries[i], now)
				containers = usage.Containers
				check(containers, absence)
			}
		})
	}
}

// BenchmarkMemory is what the store holds of a node, without its layout and with
// it: the layout and its names belong to the decoder, too.
func BenchmarkMemory(b *testing.B) {
	const nodes = 500
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		empty := heap()
		all := make([]*benchNode, nodes)
		samples := 0.0
		for i := range all {
			all[i] = newBenchNode(i)
			samples += float64(cap(all[i].batch.Samples)) * 48
		}
		layouts := heap() - samples
		store := newBenchStore(b)
		for _, n := range all {
			for range 3 {
				commitBench(b, store, n.next())
			}
		}
		full := heap() - samples
		runtime.KeepAlive(all)
		b.ReportMetric((full-layouts)/nodes, "B/node")
		b.ReportMetric((full-empty)/nodes, "B/node+layout")
		runtime.KeepAlive(store)
	}
}
