// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// checkLayout holds a layout against its invariants.
func checkLayout(t *testing.T, l *storage.Layout) {
	t.Helper()
	end := int32(0)
	for i, p := range l.Pods {
		if p.First != end || p.End <= p.First {
			t.Fatalf("pod %d has rows [%d, %d), those before end at %d", i, p.First, p.End, end)
		}
		end = p.End
		if i > 0 && keyOf(l.Pods[i-1]).Compare(keyOf(p)) >= 0 {
			t.Fatalf("pods %d and %d are out of order", i-1, i)
		}
		for row := p.First + 1; row < p.End; row++ {
			if l.Containers[row-1] >= l.Containers[row] {
				t.Fatalf("containers %d and %d are out of order", row-1, row)
			}
		}
	}
	if int(end) != len(l.Containers) {
		t.Fatalf("pods have %d rows, there are %d containers", end, len(l.Containers))
	}
}

func keyOf(p storage.PodRows) storage.ContainerKey {
	return storage.ContainerKey{Namespace: p.Namespace, Pod: p.Name}
}

// TestNewLayout holds that every key finds its row, in whatever order and
// however often the keys come.
func TestNewLayout(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		keys := make([]storage.ContainerKey, random.IntN(40))
		distinct := map[storage.ContainerKey]bool{}
		for i := range keys {
			name := func() string { return strconv.Itoa(random.IntN(12))[:1] }
			keys[i] = storage.ContainerKey{Namespace: name(), Pod: name(), Container: name()}
			distinct[keys[i]] = true
		}
		layout, rows := storage.NewLayout(keys)
		checkLayout(t, layout)
		if len(layout.Containers) != len(distinct) {
			t.Fatalf("got %d rows for %d distinct keys", len(layout.Containers), len(distinct))
		}
		for i, row := range rows {
			found := false
			for _, p := range layout.Pods {
				found = found || p.First <= row && row < p.End && storage.ContainerKey{
					Namespace: p.Namespace, Pod: p.Name, Container: layout.Containers[row],
				} == keys[i]
			}
			if !found {
				t.Fatalf("key %v is not in row %d", keys[i], row)
			}
		}
	}
}

// TestEdited holds edits against layouts that are made anew.
func TestEdited(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	name := func() string { return strconv.Itoa(random.IntN(6)) }
	var layout *storage.Layout
	var held []storage.ContainerKey // by row
	for range 500 {
		var kept, added []storage.ContainerKey
		keep := make([]bool, len(held))
		for i, key := range held {
			if keep[i] = random.IntN(4) > 0; keep[i] {
				kept = append(kept, key)
			}
		}
		for range random.IntN(5) {
			key := storage.ContainerKey{Namespace: name(), Pod: name(), Container: name()}
			if !slices.Contains(held, key) && !slices.Contains(added, key) {
				added = append(added, key)
			}
		}
		slices.SortFunc(added, storage.ContainerKey.Compare)
		rows := make([]int32, len(held)+len(added))
		next := layout.Edited(func(row int32) bool { return keep[row] }, added, rows)
		checkLayout(t, next)
		want, _ := storage.NewLayout(slices.Concat(kept, added))
		if !slices.Equal(next.Pods, want.Pods) || !slices.Equal(next.Containers, want.Containers) {
			t.Fatalf("%v %v, want %v %v", next.Pods, next.Containers, want.Pods, want.Containers)
		}
		byRow := make([]storage.ContainerKey, len(next.Containers))
		for _, p := range next.Pods {
			for row := p.First; row < p.End; row++ {
				byRow[row] = storage.ContainerKey{Namespace: p.Namespace, Pod: p.Name, Container: next.Containers[row]}
			}
		}
		for i, key := range slices.Concat(held, added) {
			if i < len(held) && !keep[i] {
				if rows[i] != -1 {
					t.Fatalf("row %d was left out, and is %d", i, rows[i])
				}
			} else if byRow[rows[i]] != key {
				t.Fatalf("%v is said to be at %d, where %v is", key, rows[i], byRow[rows[i]])
			}
		}
		layout, held = next, byRow
	}
}

// TestFind holds the search against looking at all pods.
func TestFind(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	name := func() string { return strconv.Itoa(random.IntN(30)) }
	for range 300 {
		keys := make([]storage.ContainerKey, random.IntN(30))
		for i := range keys {
			keys[i] = storage.ContainerKey{Namespace: name()[:1], Pod: name(), Container: name()}
		}
		layout, _ := storage.NewLayout(keys)
		for range 30 {
			namespace, pod := name()[:1], name()
			want := slices.IndexFunc(layout.Pods, func(p storage.PodRows) bool { return p.Namespace == namespace && p.Name == pod })
			if got, ok := layout.Find(namespace, pod); ok != (want >= 0) || ok && got != want {
				t.Fatalf("%s/%s is at %d, %v, want %d in %v", namespace, pod, got, ok, want, layout.Pods)
			}
		}
	}
}

// BenchmarkFind looks for each of 30 pods of a node.
func BenchmarkFind(b *testing.B) {
	var keys []storage.ContainerKey
	for i := range 30 {
		keys = append(keys, storage.ContainerKey{Namespace: "shop", Pod: "workload-" + strconv.Itoa(i/10) + "-6d4b75cb6d-" + strconv.Itoa(10000+i), Container: "server"})
	}
	layout, _ := storage.NewLayout(keys)
	for b.Loop() {
		for i := range keys {
			if found, ok := layout.Find(keys[i].Namespace, keys[i].Pod); !ok || found != i {
				b.Fatal(found, ok)
			}
		}
	}
}
