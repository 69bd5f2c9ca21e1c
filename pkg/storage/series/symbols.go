// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import "strings"

// symbols holds each string once: series of one container have its names and its
// image in common. Strings are counted, so that what was of a container goes with
// its series.
type symbols map[string]*symbol

type symbol struct {
	text string
	uses int
}

// symbolBytes is about what a string takes beside its bytes.
const symbolBytes = 80

// labelBytes is what a label takes, whose strings are counted apart.
const labelBytes = 32

// take is a copy of labels, and how many bytes more are taken now.
func (s symbols) take(labels Labels) (c Labels, bytes int64) {
	c = make(Labels, len(labels))
	bytes = int64(len(labels)) * labelBytes
	for i, label := range labels {
		var a, b int64
		c[i].Name, a = s.takeOne(label.Name)
		c[i].Value, b = s.takeOne(label.Value)
		bytes += a + b
	}
	return c, bytes
}

func (s symbols) takeOne(text string) (c string, bytes int64) {
	if known := s[text]; known != nil {
		known.uses++
		return known.text, 0
	}
	c = strings.Clone(text)
	s[c] = &symbol{text: c, uses: 1}
	return c, int64(len(c)) + symbolBytes
}

// drop gives back what take gave, and says how many bytes that frees.
func (s symbols) drop(labels Labels) (bytes int64) {
	bytes = int64(len(labels)) * labelBytes
	for _, label := range labels {
		bytes += s.dropOne(label.Name) + s.dropOne(label.Value)
	}
	return bytes
}

func (s symbols) dropOne(text string) int64 {
	known := s[text]
	if known.uses--; known.uses > 0 {
		return 0
	}
	delete(s, text)
	return int64(len(text)) + symbolBytes
}
