// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"encoding/binary"
	"math"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// inputRows are the pods and containers of an answer, and their readings, while
// it is read. Both have slots: the first are those of the previous answer's
// layout, in its order, and what it lacks follows as it comes. So an answer that
// lists what the one before did is in the layout's order without being sorted.
type inputRows struct {
	table  *[input.IDs]input.Info
	layout *storage.Layout // Of the previous answer; never nil.
	names  *storage.Layout // InputAnswer.Names; never nil.

	pods, containers slotTable
	columns          [input.IDs]slotColumn
	own              [input.IDs]slotReading
	// taken is how many readings there are.
	taken int

	// index finds the slots that the layout lacks; it is nil until the first.
	index  map[string]int32
	buffer []byte

	// The memory of what the batch gets.
	out                    [input.IDs]input.Column
	podRuns, containerRuns []uint64
}

// slotTable is the slots of one level.
type slotTable struct {
	// listed says which slots the answer lists, seen is how many these are.
	listed []bool
	seen   int
	// runs tells runs apart: each is that of the slot's newest reading, and
	// times when that was.
	runs  []uint64
	times []storage.Millis
	// added are the names of the slots from rows on, pods the pods' slots of
	// added containers.
	rows  int
	added []storage.ContainerKey
	pods  []int32
}

// slotColumn is the readings of one input. It may be shorter than the table;
// slots beyond its end have none.
type slotColumn struct {
	readings []slotReading
	taken    int
}

// slotReading is a reading and what it is from: an answer can have several
// things of one name, such as a container and the one that it replaces.
type slotReading struct {
	input.Reading
	source uint64
}

// begin begins an answer.
func (r *inputRows) begin(b *input.Batch, names *storage.Layout, table *[input.IDs]input.Info) {
	r.table, r.layout, r.names, r.taken = table, b.Layout, names, 0
	if r.layout == nil {
		r.layout = &storage.Layout{}
	}
	if r.names == nil {
		r.names = &storage.Layout{}
	}
	r.pods.begin(len(r.layout.Pods))
	r.containers.begin(len(r.layout.Containers))
	r.own = [input.IDs]slotReading{}
	for id := range b.Inputs.Each() {
		r.columns[id] = slotColumn{readings: r.columns[id].readings[:0]}
	}
}

// end lets go of what is not the answer's.
func (r *inputRows) end() {
	r.layout, r.names, r.index = nil, nil, nil
	clear(r.pods.added)
	clear(r.containers.added)
}

func (t *slotTable) begin(rows int) {
	t.rows, t.seen, t.added, t.pods = rows, 0, t.added[:0], t.pods[:0]
	t.listed, t.runs, t.times = zeros(t.listed, rows), zeros(t.runs, rows), zeros(t.times, rows)
}

// zeros is n zeros, in the memory of s where it is enough.
func zeros[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// add adds a slot.
func (t *slotTable) add(name storage.ContainerKey, pod int32) int32 {
	t.added, t.pods = append(t.added, name), append(t.pods, pod)
	t.listed, t.runs, t.times = append(t.listed, false), append(t.runs, 0), append(t.times, 0)
	return int32(len(t.listed) - 1)
}

// list notes that the answer lists the slot.
func (t *slotTable) list(slot int32) int32 {
	if !t.listed[slot] {
		t.listed[slot] = true
		t.seen++
	}
	return slot
}

// searchPod is the index of a pod in a layout, or -1.
func searchPod(layout *storage.Layout, namespace, name []byte) int32 {
	low, high := 0, len(layout.Pods)
	for low < high {
		middle := int(uint(low+high) >> 1)
		pod := &layout.Pods[middle]
		order := compare(pod.Namespace, namespace)
		if order == 0 {
			order = compare(pod.Name, name)
		}
		switch {
		case order == 0:
			return int32(middle)
		case order < 0:
			low = middle + 1
		default:
			high = middle
		}
	}
	return -1
}

// pod is the slot of a pod, which it lists.
func (r *inputRows) pod(namespace, name []byte) int32 {
	if slot := searchPod(r.layout, namespace, name); slot >= 0 {
		return r.pods.list(slot)
	}
	// No byte of valid UTF-8 is 0xff, so that the parts cannot run together.
	r.buffer = append(r.buffer[:0], namespace...)
	r.buffer = append(r.buffer, 0xff)
	r.buffer = append(r.buffer, name...)
	slot, ok := r.index[string(r.buffer)]
	if !ok {
		key := storage.ContainerKey{}
		if p := searchPod(r.names, namespace, name); p >= 0 {
			key.Namespace, key.Pod = r.names.Pods[p].Namespace, r.names.Pods[p].Name
		} else {
			key.Namespace, key.Pod = string(namespace), string(name)
		}
		slot = r.pods.add(key, 0)
		r.remember(slot)
	}
	return r.pods.list(slot)
}

// container is the slot of a container of the pod in the slot pod, and lists it.
func (r *inputRows) container(pod int32, name []byte) int32 {
	if int(pod) < r.pods.rows {
		if slot := findContainer(r.layout, &r.layout.Pods[pod], name); slot >= 0 {
			return r.containers.list(slot)
		}
	}
	r.buffer = binary.LittleEndian.AppendUint32(append(r.buffer[:0], 0xff), uint32(pod))
	r.buffer = append(r.buffer, name...)
	slot, ok := r.index[string(r.buffer)]
	if !ok {
		key := r.podName(pod)
		if p := searchPod(r.names, []byte(key.Namespace), []byte(key.Pod)); p >= 0 {
			if row := findContainer(r.names, &r.names.Pods[p], name); row >= 0 {
				key.Container = r.names.Containers[row]
			}
		}
		if key.Container == "" {
			key.Container = string(name)
		}
		slot = r.containers.add(key, pod)
		r.remember(slot)
	}
	return r.containers.list(slot)
}

// remember makes index find the slot by what is in buffer.
func (r *inputRows) remember(slot int32) {
	if r.index == nil {
		r.index = make(map[string]int32)
	}
	r.index[string(r.buffer)] = slot
}

// podName is the name of the pod in a slot, as a key without a container.
func (r *inputRows) podName(slot int32) storage.ContainerKey {
	if int(slot) < r.pods.rows {
		pod := &r.layout.Pods[slot]
		return storage.ContainerKey{Namespace: pod.Namespace, Pod: pod.Name}
	}
	return r.pods.added[int(slot)-r.pods.rows]
}

// put takes a reading of the input id for a slot of its level. sums says that
// readings of one source are to be added. It says why it refuses one.
func (r *inputRows) put(id input.ID, slot int32, n slotReading, sums bool) (reason Reason, ok bool) {
	column, level := &r.columns[id], &r.pods
	if r.table[id].Level == input.OfContainer {
		level = &r.containers
	}
	column.grow(int(slot) + 1)
	held := &column.readings[slot]
	if held.Time == 0 {
		r.taken++
		column.taken++
	}
	if n.Time > level.times[slot] {
		level.runs[slot], level.times[slot] = n.source, n.Time
	}
	return held.add(n, sums)
}

// putOwn takes a reading of the node itself.
func (r *inputRows) putOwn(id input.ID, n slotReading, sums bool) (reason Reason, ok bool) {
	if r.own[id].Time == 0 {
		r.taken++
	}
	return r.own[id].add(n, sums)
}

// add takes in one more reading: of another source, the newer one counts.
func (held *slotReading) add(n slotReading, sums bool) (reason Reason, ok bool) {
	switch {
	case held.Time == 0, n.source != held.source && n.Time > held.Time:
		*held = n
	case n.source != held.source:
	case !sums:
		return RefusedDuplicate, false
	case held.Value > math.MaxInt64-n.Value:
		return RefusedOverflow, false
	default:
		held.Value += n.Value
		held.Time = min(held.Time, n.Time)
	}
	return 0, true
}

// drop takes back all readings of an input.
func (r *inputRows) drop(id input.ID) {
	r.taken -= r.columns[id].taken
	r.columns[id] = slotColumn{readings: r.columns[id].readings[:0]}
	if r.own[id].Time != 0 {
		r.taken--
		r.own[id] = slotReading{}
	}
}

// zero says whether all readings of an input are 0.
func (r *inputRows) zero(id input.ID) bool {
	for i := range r.columns[id].readings {
		if r.columns[id].readings[i].Value != 0 {
			return false
		}
	}
	return r.own[id].Value == 0
}

func (c *slotColumn) grow(n int) {
	for len(c.readings) < n {
		c.readings = append(c.readings, slotReading{})
	}
}
