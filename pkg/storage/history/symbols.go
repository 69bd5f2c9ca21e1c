// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"encoding/binary"
	"strings"
	"sync"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// symbols holds each string once and gives it a number, so that the labels of a
// series are a few bytes: those of one container share their names and values with
// all its series, and names of metrics are the same on all nodes. Strings are
// counted, and go with the last series that has them; their numbers are used again.
type symbols struct {
	mu struct {
		sync.RWMutex
		numbers map[string]uint32
		entries []symbol
		free    []uint32
		bytes   int64
	}
}

type symbol struct {
	text string
	uses uint32
}

// symbolBytes is about what a string takes beside its bytes: its entry, and its
// place in the map.
const symbolBytes = 24 + 48

func newSymbols() *symbols {
	s := &symbols{}
	s.mu.numbers = map[string]uint32{}
	return s
}

// take is labels as bytes, for drop to give back.
func (s *symbols) take(labels series.Labels) string {
	encoded := make([]byte, 0, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, label := range labels {
		encoded = binary.AppendUvarint(encoded, uint64(s.takeLocked(label.Name)))
		encoded = binary.AppendUvarint(encoded, uint64(s.takeLocked(label.Value)))
	}
	return string(encoded)
}

func (s *symbols) takeLocked(text string) uint32 {
	n, ok := s.mu.numbers[text]
	if !ok {
		if last := len(s.mu.free) - 1; last >= 0 {
			n = s.mu.free[last]
			s.mu.free = s.mu.free[:last]
		} else {
			n = uint32(len(s.mu.entries))
			s.mu.entries = append(s.mu.entries, symbol{})
		}
		text = strings.Clone(text)
		s.mu.entries[n].text = text
		s.mu.numbers[text] = n
		s.mu.bytes += int64(len(text)) + symbolBytes
	}
	s.mu.entries[n].uses++
	return n
}

// drop gives back what take gave.
func (s *symbols) drop(encoded string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(encoded) > 0 {
		var n uint32
		n, encoded = cutNumber(encoded)
		entry := &s.mu.entries[n]
		if entry.uses--; entry.uses > 0 {
			continue
		}
		delete(s.mu.numbers, entry.text)
		s.mu.bytes -= int64(len(entry.text)) + symbolBytes
		entry.text = ""
		s.mu.free = append(s.mu.free, n)
	}
}

// labels appends to dst what take made bytes of.
func (s *symbols) labels(dst series.Labels, encoded string) series.Labels {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for len(encoded) > 0 {
		var name, value uint32
		name, encoded = cutNumber(encoded)
		value, encoded = cutNumber(encoded)
		dst = append(dst, series.Label{Name: s.mu.entries[name].text, Value: s.mu.entries[value].text})
	}
	return dst
}

// number is a string's number; ok is false where no series has it.
func (s *symbols) number(text string) (n uint32, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, ok = s.mu.numbers[text]
	return n, ok
}

// size is about how many bytes the strings take.
func (s *symbols) size() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.bytes
}

// cutNumber takes a number off what take made.
func cutNumber(encoded string) (n uint32, rest string) {
	var value uint64
	for i := 0; ; i++ {
		value |= uint64(encoded[i]&0x7f) << (7 * i)
		if encoded[i] < 0x80 {
			return uint32(value), encoded[i+1:]
		}
	}
}
