// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"slices"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// mark is what must be known of a sample while an answer is read.
type mark struct {
	// seen has the bits of the kinds of which a series came, taken or refused;
	// a container with none is not listed.
	seen uint8
	// timed is 0, or one more than the kind of the series that Sample.Time is of.
	timed uint8
}

// slots are the containers of an answer while it is read. The slots [0, rows)
// are the rows of the previous answer's layout, those from there on are new.
//
// Invariant: len(samples) == len(marks) == rows + len(added).
type slots struct {
	layout  *storage.Layout // Of the previous answer; nil is none.
	rows    int
	samples []storage.Sample
	marks   []mark
	// listed is how many slots have been seen.
	listed int

	// added are the names of the new slots. Where there are more than fewAdded, index
	// finds them and strings are the strings in them; both are nil until then.
	added   []storage.ContainerKey
	index   map[string]int32
	strings map[string]string
	buffer  []byte
}

// newSlots begins an answer. The samples and marks of the previous one are used
// again.
func newSlots(layout *storage.Layout, samples []storage.Sample, marks []mark) slots {
	clear(samples)
	clear(marks)
	return slots{layout: layout, rows: len(samples), samples: samples, marks: marks}
}

// seen says whether a series of the kind k was noted.
func (s *slots) seen(slot int32, k kind) bool { return s.marks[slot].seen&k.bit() != 0 }

// see notes a series of the kind k and says whether it is the first.
func (s *slots) see(slot int32, k kind) (first bool) {
	m := &s.marks[slot]
	if m.seen == 0 {
		s.listed++
	}
	first = m.seen&k.bit() == 0
	m.seen |= k.bit()
	return first
}

// set puts the number of a series of the kind k and the moment it was read into
// the slot's sample.
func (s *slots) set(slot int32, k kind, value uint64, time storage.Millis) {
	sample, m := &s.samples[slot], &s.marks[slot]
	switch k {
	case kindCPU:
		sample.CPU = value
		sample.Has |= storage.HasCPU
	case kindMemory:
		sample.Memory = value
		sample.Has |= storage.HasMemory
	case kindSwap:
		sample.Swap = value
		sample.Has |= storage.HasSwap
	case kindStart:
		// The start is no reading, and its moment is not the sample's.
		sample.Start = storage.Millis(value)
		return
	}
	if m.timed == 0 || uint8(k) < m.timed-1 {
		sample.Time, m.timed = time, uint8(k)+1
	}
}

// settle gives the samples that no series has timed the moment of the request.
func (s *slots) settle(sent storage.Millis) {
	for slot := range s.marks {
		if s.marks[slot].timed == 0 {
			s.samples[slot].Time = sent
		}
	}
}

// fewAdded is how many new containers are looked through one by one. That is what
// comes to a node at a time, but for the first answer, which has all of them.
const fewAdded = 16

// find is the slot of a container; it is made where there is none.
func (s *slots) find(name containerName) int32 {
	pod, row := findRow(s.layout, name)
	if row >= 0 {
		return row
	}
	if slot, ok := s.findAdded(name); ok {
		return slot
	}
	slot := int32(len(s.samples))
	key := storage.ContainerKey{Container: s.string(name.container)}
	if pod != nil {
		key.Namespace, key.Pod = pod.Namespace, pod.Name
	} else {
		key.Namespace, key.Pod = s.string(name.namespace), s.string(name.pod)
	}
	s.added = append(s.added, key)
	s.samples = append(s.samples, storage.Sample{})
	s.marks = append(s.marks, mark{})
	switch {
	case s.index != nil:
		s.index[string(s.buffer)] = slot
	case len(s.added) > fewAdded:
		s.buildIndex()
	}
	return slot
}

// findAdded is the slot of a new container. Where there is an index, buffer is the
// container's key in it afterwards.
func (s *slots) findAdded(name containerName) (slot int32, ok bool) {
	if s.index != nil {
		s.buffer = appendKey(s.buffer[:0], name.namespace, name.pod, name.container)
		slot, ok = s.index[string(s.buffer)]
		return slot, ok
	}
	for i := range s.added {
		key := &s.added[i]
		if key.Pod == string(name.pod) && key.Container == string(name.container) && key.Namespace == string(name.namespace) {
			return int32(s.rows + i), true
		}
	}
	return 0, false
}

// buildIndex makes index and strings of what was added so far.
func (s *slots) buildIndex() {
	s.index, s.strings = make(map[string]int32), make(map[string]string)
	for i := range s.added {
		key := &s.added[i]
		s.buffer = appendKey(s.buffer[:0], key.Namespace, key.Pod, key.Container)
		s.index[string(s.buffer)] = int32(s.rows + i)
		for _, part := range []string{key.Namespace, key.Pod, key.Container} {
			s.strings[part] = part
		}
	}
}

// appendKey appends the three names so that they cannot run together: no byte of
// valid UTF-8 is 0xff.
func appendKey[T []byte | string](dst []byte, namespace, pod, container T) []byte {
	dst = append(append(dst, namespace...), 0xff)
	dst = append(append(dst, pod...), 0xff)
	return append(dst, container...)
}

// string is b as a string, the same one for the same bytes in what was added.
func (s *slots) string(b []byte) string {
	if s.strings == nil {
		for _, key := range slices.Backward(s.added) {
			for _, known := range []string{key.Namespace, key.Pod, key.Container} {
				if known == string(b) {
					return known
				}
			}
		}
		return string(b)
	}
	if known, ok := s.strings[string(b)]; ok {
		return known
	}
	fresh := string(b)
	s.strings[fresh] = fresh
	return fresh
}

// changed is whether the containers are not those of the previous answer.
func (s *slots) changed() bool { return len(s.added) > 0 || s.listed != s.rows }

// finish is the layout of what was listed, nil where that is nothing, and the row of
// each slot, in the memory of rows where it fits.
func (s *slots) finish(rows []int32) (*storage.Layout, []int32) {
	rows = slices.Grow(rows[:0], len(s.samples))[:len(s.samples)]
	order := make([]int32, len(s.added))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return s.added[a].Compare(s.added[b]) })
	added := make([]storage.ContainerKey, len(order))
	for i, slot := range order {
		added[i] = s.added[slot]
	}
	layout := s.layout.Edited(func(row int32) bool { return s.marks[row].seen != 0 }, added, rows)
	// Added slots have come in another order.
	of := slices.Clone(rows[s.rows:])
	for i, slot := range order {
		rows[s.rows+int(slot)] = of[i]
	}
	if len(layout.Containers) == 0 {
		layout = nil
	}
	return layout, rows
}
