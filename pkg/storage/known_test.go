// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestPlaces reads pods of two stores by places that are those of another pod,
// another node, another store, of a node that was forgotten, and of a layout
// with more pods: answers are those without places.
func TestPlaces(t *testing.T) {
	batch := func(node string, when float64, rate uint64, pods ...string) *storage.Batch {
		var keys []storage.ContainerKey
		for _, pod := range pods {
			keys = append(keys, storage.ContainerKey{Namespace: "shop", Pod: pod, Container: "app"})
		}
		b := &storage.Batch{Node: node, Received: at(when)}
		b.Layout, _ = storage.NewLayout(keys)
		for row := range keys {
			b.Samples = append(b.Samples, read("", when, 1).sample)
			b.Estimates = append(b.Estimates, rate+uint64(row))
		}
		return b
	}
	var stores [2]*storage.Store
	for i := range stores {
		var err error
		if stores[i], err = storage.New(storage.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	commit := func(store int, b *storage.Batch) {
		t.Helper()
		if _, err := stores[store].Commit(b); err != nil {
			t.Fatal(err)
		}
	}
	var place storage.PodPlace
	var node storage.NodePlace
	want := func(when float64, store int, on, pod, want string) {
		t.Helper()
		for _, q := range []storage.PodQuery{{Place: &place, NodePlace: &node}, {Place: &place}, {NodePlace: &node}, {}} {
			q.Node, q.Namespace, q.Name = on, "shop", pod
			usage, absence := stores[store].Pod(nil, q, at(when))
			got := word(absence)
			if absence == storage.Present {
				got = showUsage(usage.Containers[0].CPU, scriptMemory, 0, false)
			}
			if got != want {
				t.Errorf("at %v: store %d, node %s: pod %s: got %q, want %q", when, store, on, pod, got, want)
			}
		}
	}
	want(0, 0, "a", "web", "not scraped")
	commit(0, batch("a", 0, 10, "db", "web", "x"))
	commit(0, batch("b", 0, 20, "web"))
	commit(1, batch("a", 0, 30, "web"))
	want(0, 0, "a", "web", "11n")
	want(0, 0, "a", "x", "12n")
	want(0, 0, "b", "web", "20n")
	want(0, 0, "b", "x", "not reported")
	want(0, 1, "a", "web", "30n")
	want(0, 1, "b", "web", "not scraped")
	want(0, 0, "a", "x", "12n")
	stores[0].Forget("a")
	want(0, 0, "a", "x", "not scraped")
	commit(0, batch("a", 20, 40, "web"))
	want(20, 0, "a", "web", "40n")
	want(20, 0, "a", "x", "not reported")
	commit(0, batch("a", 40, 50, "a", "b", "web", "x"))
	want(40, 0, "a", "x", "53n")
	commit(0, batch("a", 200, 60, "web")) // nothing lingers so long
	want(200, 0, "a", "x", "not reported")
	want(200, 0, "a", "web", "60n")
}
