// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"iter"
	"maps"
	"slices"
)

// Labels is a set of labels in the form that protobuf gives them in an object's
// metadata: an entry a label, sorted by key. Equal sets are equal strings. It is
// a labels.Labels, so that selectors match it as it is, and it takes a fraction
// of the memory of a map.
type Labels string

// The tags of a label in an object's metadata, of its key and of its value.
const (
	labelTag = 11<<3 | 2
	keyTag   = 1<<3 | 2
	valueTag = 2<<3 | 2
)

// LabelsOf is set in the form that is kept.
func LabelsOf(set map[string]string) Labels {
	size := 0
	keys := make([]string, 0, len(set))
	for key, value := range set {
		keys = append(keys, key)
		size += FieldSize(entrySize(len(key), len(value)))
	}
	slices.Sort(keys)
	encoded := make([]byte, 0, size)
	for _, key := range keys {
		value := set[key]
		encoded = AppendLength(encoded, labelTag, entrySize(len(key), len(value)))
		encoded = AppendField(encoded, keyTag, key)
		encoded = AppendField(encoded, valueTag, value)
	}
	return Labels(encoded)
}

// Set is the labels as a map; nil where there are none.
func (l Labels) Set() map[string]string {
	if l == "" {
		return nil
	}
	return maps.Collect(l.All())
}

// All is the labels in the order of their keys. Keys and values are part of l.
func (l Labels) All() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for rest := string(l); rest != ""; {
			var entry, key, value string
			entry, rest = cutField(rest)
			key, value = cutField(entry)
			value, _ = cutField(value)
			if !yield(key, value) {
				return
			}
		}
	}
}

// Lookup is the value of the label key, and whether there is one.
func (l Labels) Lookup(key string) (value string, exists bool) {
	for k, v := range l.All() {
		if k == key {
			return v, true
		}
	}
	return "", false
}

// Has is whether there is a label key.
func (l Labels) Has(key string) bool {
	_, exists := l.Lookup(key)
	return exists
}

// Get is the value of the label key, "" where there is none.
func (l Labels) Get(key string) string {
	value, _ := l.Lookup(key)
	return value
}

// cutField is the content of the field at the start of s, and what follows it.
// Only what LabelsOf made is ever cut.
func cutField(s string) (content, rest string) {
	size, i := uint64(0), 1 // the tag is one byte
	for shift := 0; ; shift += 7 {
		b := s[i]
		i++
		size |= uint64(b&0x7f) << shift
		if b < 0x80 {
			break
		}
	}
	return s[i : i+int(size)], s[i+int(size):]
}

// AppendLength starts a length-delimited field of protobuf: its content, of size
// bytes, is to follow. The tag is the field's number, below 16, and its wire type.
func AppendLength(dst []byte, tag byte, size int) []byte {
	if size < 0x80 { // nearly always
		return append(dst, tag, byte(size))
	}
	return binary.AppendUvarint(append(dst, tag), uint64(size))
}

// AppendField appends a whole length-delimited field.
func AppendField(dst []byte, tag byte, content string) []byte {
	return append(AppendLength(dst, tag, len(content)), content...)
}

// FieldSize is the size of a length-delimited field whose tag is a byte and whose
// content is of size bytes.
func FieldSize(size int) int { return 1 + VarintSize(uint64(size)) + size }

// entrySize is the size of a map's entry, given those of its key and value.
func entrySize(key, value int) int { return FieldSize(key) + FieldSize(value) }
