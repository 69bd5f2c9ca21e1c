// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package input

import (
	"iter"
	"math/bits"
)

// Set is a set of inputs; ID i is bit i.
type Set uint64

// SetOf is the set of ids.
func SetOf(ids ...ID) Set {
	var s Set
	for _, id := range ids {
		s |= 1 << id
	}
	return s
}

// All is every input.
func All() Set { return 1<<IDs - 1 }

// Of is every input of a source.
func (s Source) Of() Set {
	var set Set
	for id, info := range Table() {
		if info.Source == s {
			set |= 1 << id
		}
	}
	return set
}

// Has says whether id is in the set.
func (s Set) Has(id ID) bool { return s&(1<<id) != 0 }

// Len is how many inputs the set has.
func (s Set) Len() int { return bits.OnesCount64(uint64(s)) }

// before is how many inputs of the set come before id, which is the place of id
// in a slice that has one element for each input of the set.
func (s Set) before(id ID) int { return bits.OnesCount64(uint64(s & (1<<id - 1))) }

// Each goes through the set in the order of the IDs.
func (s Set) Each() iter.Seq[ID] {
	return func(yield func(ID) bool) {
		for ; s != 0; s &= s - 1 {
			if !yield(ID(bits.TrailingZeros64(uint64(s)))) {
				return
			}
		}
	}
}
