// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// finish puts all that was read into the batch: under the previous layout where
// the answer lists the same, else under a new one.
func (r *inputRows) finish(b *input.Batch) {
	var pods, containers []int32 // The slots of the new layout's rows.
	if !r.unchanged() {
		b.Layout, pods, containers = r.newLayout()
	}
	r.podRuns = ordered(r.podRuns, r.pods.runs, pods)
	r.containerRuns = ordered(r.containerRuns, r.containers.runs, containers)
	b.PodRuns, b.ContainerRuns = r.podRuns, r.containerRuns
	for id := range b.Inputs.Each() {
		b.Own[id] = r.own[id].Reading
		column := &r.columns[id]
		if column.taken == 0 {
			continue
		}
		slots, level := pods, &r.pods
		if r.table[id].Level == input.OfContainer {
			slots, level = containers, &r.containers
		}
		column.grow(len(level.listed))
		n := len(level.listed)
		if slots != nil {
			n = len(slots)
		}
		out := &r.out[id]
		out.Values, out.Times = zeros(out.Values, n), zeros(out.Times, n)
		for i := range n {
			slot := i
			if slots != nil {
				slot = int(slots[i])
			}
			if slot >= 0 {
				out.Values[i], out.Times[i] = column.readings[slot].Value, column.readings[slot].Time
			}
		}
		b.Columns[id] = *out
	}
}

// unchanged says whether the answer lists what the previous layout names. A row
// without a name stands for a pod without containers.
func (r *inputRows) unchanged() bool {
	if len(r.pods.added) > 0 || len(r.containers.added) > 0 || r.pods.seen < r.pods.rows {
		return false
	}
	if r.containers.seen == r.containers.rows {
		return true
	}
	for row, name := range r.layout.Containers {
		if name != "" && !r.containers.listed[row] {
			return false
		}
	}
	return true
}

// newLayout is the layout of what the answer lists, or nil where that is
// nothing, with the slots of its pods and of its rows; -1 is a row of a pod
// without containers.
func (r *inputRows) newLayout() (layout *storage.Layout, pods, containers []int32) {
	var keys []storage.ContainerKey
	var podSlots, slots []int32 // Of the keys.
	full := make([]bool, len(r.pods.listed))
	add := func(key storage.ContainerKey, pod, slot int32) {
		keys, podSlots, slots = append(keys, key), append(podSlots, pod), append(slots, slot)
		full[pod] = true
	}
	for p := range r.layout.Pods {
		pod := &r.layout.Pods[p]
		for row := pod.First; row < pod.End; row++ {
			if r.containers.listed[row] {
				add(storage.ContainerKey{Namespace: pod.Namespace, Pod: pod.Name, Container: r.layout.Containers[row]}, int32(p), row)
			}
		}
	}
	for i, key := range r.containers.added {
		add(key, r.containers.pods[i], int32(r.containers.rows+i))
	}
	for slot, listed := range r.pods.listed {
		if listed && !full[slot] {
			add(r.podName(int32(slot)), int32(slot), -1)
		}
	}
	if len(keys) == 0 {
		return nil, []int32{}, []int32{}
	}
	layout, rows := storage.NewLayout(keys)
	pods, containers = make([]int32, len(layout.Pods)), make([]int32, len(layout.Containers))
	podOf := make([]int32, len(layout.Containers))
	for p := range layout.Pods {
		for row := layout.Pods[p].First; row < layout.Pods[p].End; row++ {
			podOf[row] = int32(p)
		}
	}
	for i, row := range rows {
		containers[row], pods[podOf[row]] = slots[i], podSlots[i]
	}
	return layout, pods, containers
}

// ordered is runs in the order of slots, in dst; slots of nil is the order that
// they are in.
func ordered(dst, runs []uint64, slots []int32) []uint64 {
	if slots == nil {
		return append(dst[:0], runs...)
	}
	dst = dst[:0]
	for _, slot := range slots {
		run := uint64(0)
		if slot >= 0 {
			run = runs[slot]
		}
		dst = append(dst, run)
	}
	return dst
}
