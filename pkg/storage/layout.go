// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"cmp"
	"slices"
	"strings"
)

// ContainerKey names one container of one pod.
type ContainerKey struct {
	Namespace, Pod, Container string
}

// Compare orders keys by namespace, pod and container.
func (k ContainerKey) Compare(o ContainerKey) int {
	return cmp.Or(cmp.Compare(k.Namespace, o.Namespace), cmp.Compare(k.Pod, o.Pod), cmp.Compare(k.Container, o.Container))
}

// PodRows names a pod and the rows [First, End) of its containers in a Layout.
type PodRows struct {
	Namespace, Name string
	First, End      int32
}

// Compare orders p against a pod by namespace and name.
func (p *PodRows) Compare(namespace, name string) int {
	if c := strings.Compare(p.Namespace, namespace); c != 0 {
		return c
	}
	return strings.Compare(p.Name, name)
}

// Layout names the rows of a node's columns. It is immutable: a decoder makes a
// new one only when the containers of a node change, so that equal pointers
// mean equal rows, which is what Store.Commit's fast path rests on.
//
// Invariants: Pods are sorted by (Namespace, Name) without duplicates; their
// row ranges are adjacent, never empty, and cover [0, len(Containers));
// Containers are sorted within a pod without duplicates.
type Layout struct {
	Pods       []PodRows
	Containers []string
}

// NewLayout is the layout of the containers in keys, which may come in any
// order. rows[i] is the row of keys[i]; equal keys share a row. The keys'
// strings are kept, the slice is not.
func NewLayout(keys []ContainerKey) (layout *Layout, rows []int32) {
	order := make([]int32, len(keys))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return keys[a].Compare(keys[b]) })

	layout = &Layout{}
	rows = make([]int32, len(keys))
	for n, i := range order {
		if n > 0 && keys[i] == keys[order[n-1]] {
			rows[i] = rows[order[n-1]]
			continue
		}
		rows[i] = layout.append(keys[i])
	}
	return layout, rows
}

// Edited is the layout of those rows of l, which may be nil, that keep says true of, and
// of the keys in added, which are sorted, distinct and not in l; keep is asked twice.
// rows, which is as long as both together, gets the new row of each row of l, -1 where
// it is left out, and behind those the rows of the added keys. Of many pods few come or
// go at a time, and so nothing is sorted; the strings are those of l and added.
func (l *Layout) Edited(keep func(row int32) bool, added []ContainerKey, rows []int32) *Layout {
	if l == nil {
		l = &Layout{}
	}
	containers, pods := len(added), len(l.Pods)
	for row := range l.Containers {
		if keep(int32(row)) {
			containers++
		}
	}
	for i := range added {
		if i == 0 || added[i].Pod != added[i-1].Pod || added[i].Namespace != added[i-1].Namespace {
			pods++
		}
	}
	edited := &Layout{Pods: make([]PodRows, 0, pods), Containers: make([]string, 0, containers)}
	next := 0 // of added
	for p := range l.Pods {
		pod := &l.Pods[p]
		for row := pod.First; row < pod.End; row++ {
			key := ContainerKey{Namespace: pod.Namespace, Pod: pod.Name, Container: l.Containers[row]}
			for next < len(added) && added[next].Compare(key) < 0 {
				rows[len(l.Containers)+next] = edited.append(added[next])
				next++
			}
			if rows[row] = -1; keep(row) {
				rows[row] = edited.append(key)
			}
		}
	}
	for ; next < len(added); next++ {
		rows[len(l.Containers)+next] = edited.append(added[next])
	}
	return edited
}

// append adds key behind all rows and returns its row; key must be greater than
// every key already there.
func (l *Layout) append(key ContainerKey) int32 {
	row := int32(len(l.Containers))
	if n := len(l.Pods); n == 0 || l.Pods[n-1].Compare(key.Namespace, key.Pod) != 0 {
		l.Pods = append(l.Pods, PodRows{Namespace: key.Namespace, Name: key.Pod, First: row, End: row})
	}
	l.Pods[len(l.Pods)-1].End = row + 1
	l.Containers = append(l.Containers, key.Container)
	return row
}

// Find is the index of a pod in Pods. Requests call it for each pod and input, so it
// is a loop that copies nothing; see BenchmarkFind.
func (l *Layout) Find(namespace, name string) (int, bool) {
	low, high := 0, len(l.Pods)
	for low < high {
		middle := int(uint(low+high) / 2)
		switch c := l.Pods[middle].Compare(namespace, name); {
		case c == 0:
			return middle, true
		case c < 0:
			low = middle + 1
		default:
			high = middle
		}
	}
	return low, false
}
