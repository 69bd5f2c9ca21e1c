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

	// added are the names of the new slots, index finds them, strings are the
	// strings in them; index and strings are nil until the first.
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

// find is the slot of a container; it is made where there is none.
func (s *slots) find(name containerName) int32 {
	pod, row := findRow(s.layout, name)
	if row >= 0 {
		return row
	}
	// No byte of valid UTF-8 is 0xff, so that the parts cannot run together.
	s.buffer = append(s.buffer[:0], name.namespace...)
	s.buffer = append(s.buffer, 0xff)
	s.buffer = append(s.buffer, name.pod...)
	s.buffer = append(s.buffer, 0xff)
	s.buffer = append(s.buffer, name.container...)
	if slot, ok := s.index[string(s.buffer)]; ok {
		return slot
	}
	if s.index == nil {
		s.index = make(map[string]int32)
		s.strings = make(map[string]string)
	}
	slot := int32(len(s.samples))
	s.index[string(s.buffer)] = slot
	key := storage.ContainerKey{Container: s.string(name.container)}
	if pod != nil {
		key.Namespace, key.Pod = pod.Namespace, pod.Name
	} else {
		key.Namespace, key.Pod = s.string(name.namespace), s.string(name.pod)
	}
	s.added = append(s.added, key)
	s.samples = append(s.samples, storage.Sample{})
	s.marks = append(s.marks, mark{})
	return slot
}

// string is b as a string, the same one for the same bytes.
func (s *slots) string(b []byte) string {
	if known, ok := s.strings[string(b)]; ok {
		return known
	}
	fresh := string(b)
	s.strings[fresh] = fresh
	return fresh
}

// finish gives the layout of what was listed and the samples of its rows. Where
// the containers are those of the previous answer, layout and samples are the
// same as before and rows is nil; else rows has the row of each slot.
func (s *slots) finish() (layout *storage.Layout, samples []storage.Sample, rows []int32) {
	if len(s.added) == 0 && s.listed == s.rows {
		return s.layout, s.samples, nil
	}
	keys := make([]storage.ContainerKey, 0, s.listed)
	slotOf := make([]int32, 0, s.listed)
	list := func(slot int32, key storage.ContainerKey) {
		if s.marks[slot].seen != 0 {
			keys = append(keys, key)
			slotOf = append(slotOf, slot)
		}
	}
	if s.layout != nil {
		for _, pod := range s.layout.Pods {
			for row := pod.First; row < pod.End; row++ {
				list(row, storage.ContainerKey{Namespace: pod.Namespace, Pod: pod.Name, Container: s.layout.Containers[row]})
			}
		}
	}
	for i, key := range s.added {
		list(int32(s.rows+i), key)
	}
	rows = slices.Repeat([]int32{-1}, len(s.samples))
	if len(keys) == 0 {
		return nil, nil, rows
	}
	layout, rowOf := storage.NewLayout(keys)
	samples = make([]storage.Sample, len(keys))
	for i, slot := range slotOf {
		rows[slot] = rowOf[i]
		samples[rowOf[i]] = s.samples[slot]
	}
	return layout, samples, rows
}
