// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"hash/maphash"
	"slices"
	"strings"
)

// NameLabel is the label that holds a series' name.
const NameLabel = "__name__"

// A Label is one name and its value.
type Label struct {
	Name, Value string
}

// Labels identify a series. They are sorted by name, no name comes twice, and
// neither names nor values are empty, except where a receiver is told of a series
// as the answer has it: see AppendTarget. The series' name is among them, as
// [NameLabel].
type Labels []Label

// Get is the value of the label called name; empty where there is none.
func (l Labels) Get(name string) string {
	i, ok := slices.BinarySearchFunc(l, name, func(label Label, name string) int {
		return strings.Compare(label.Name, name)
	})
	if !ok {
		return ""
	}
	return l[i].Value
}

// Clone is a copy that shares no memory with l, whose strings may point into a
// body that is about to be used again.
func (l Labels) Clone() Labels {
	c := make(Labels, len(l))
	for i, label := range l {
		c[i] = Label{Name: strings.Clone(label.Name), Value: strings.Clone(label.Value)}
	}
	return c
}

// Compare orders labels by the first name or value in which they differ.
func (l Labels) Compare(other Labels) int {
	return slices.CompareFunc(l, other, func(a, b Label) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.Value, b.Value)
	})
}

// Hash is a hash of all names and values, for maps of this process: it differs
// with the seed.
func (l Labels) Hash(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, label := range l {
		// No name has the byte, and no value: both are UTF-8. So where one ends is
		// part of what is hashed.
		_, _ = h.WriteString(label.Name)
		_ = h.WriteByte(0xff)
		_, _ = h.WriteString(label.Value)
		_ = h.WriteByte(0xff)
	}
	return h.Sum64()
}
