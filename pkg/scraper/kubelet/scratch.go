// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"slices"
	"sync"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Scratch is memory that the decoders of many nodes take in turn. Of thousands of
// nodes only a few are being read at any moment, and what each would keep for
// itself, up to 200 bytes a container, would be an eighth of what a node costs. The zero
// Scratch is ready; it may be used concurrently.
type Scratch struct{ pool sync.Pool }

// scratch is what one answer is read into.
type scratch struct {
	samples []storage.Sample
	marks   []mark
	series  exposition.Series

	// What an answer takes that is not like the one before: other, the memory that
	// samples move to, rows, where they move, and next, the plan.
	other []storage.Sample
	rows  []int32
	next  []step
}

// maxScratch is of how many containers the memory is kept: several times of what
// a node runs, so that one that runs many more does not make all of it so large.
const maxScratch = 1024

// get is memory that nobody else uses until put; s may be nil.
func (s *Scratch) get() *scratch {
	if s != nil {
		if memory, ok := s.pool.Get().(*scratch); ok {
			return memory
		}
	}
	return &scratch{}
}

func (s *Scratch) put(memory *scratch) {
	if s != nil && cap(memory.samples) <= maxScratch && cap(memory.other) <= maxScratch {
		s.pool.Put(memory)
	}
}

// move puts samples where rows says, as they are n rows then.
func (s *scratch) move(samples []storage.Sample, n int) []storage.Sample {
	moved := slices.Grow(s.other[:0], n)[:n]
	for slot, row := range s.rows {
		if row >= 0 {
			moved[row] = samples[slot]
		}
	}
	s.other = samples
	return moved
}

// resize makes room for n samples, whose values are of no meaning.
func (s *scratch) resize(n int) {
	s.samples = slices.Grow(s.samples[:0], n)[:n]
	s.marks = slices.Grow(s.marks[:0], n)[:n]
}
