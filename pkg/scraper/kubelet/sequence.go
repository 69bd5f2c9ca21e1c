// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import "bytes"

// /metrics/cadvisor names a container in three hundred bytes, again in each of
// its metrics, and always in the same order. So a metric is read against the one
// before it: where the labels are those that stood at this place there, it is
// known without parsing whose they are. In contrast to the plan for
// /metrics/resource nothing is kept from one answer to the next, which would be
// tens of kilobytes a node: the first metric of each shape is parsed.
//
// A sequence is only ever a shortcut: what does not match is parsed, and what is
// read is the same with and without it (FuzzCadvisor).

// target is what a series is of.
type target struct {
	of   targetKind
	slot int32
	// source tells apart several things of one name.
	source uint64
}

// targetKind is what sort of thing a series is of.
type targetKind uint8

const (
	ofNothing targetKind = iota // Nothing that matters here.
	ofNode
	ofPod
	ofContainer
)

// place is the labels of a series, with their braces, and what they name.
type place struct {
	text   []byte // Part of the body.
	target target
}

// sequence is the series of the last metric of one shape, and of the one that
// is being read.
type sequence struct {
	last, current []place
	at            int // The next of last.
}

// end lets go of the body.
func (s *sequence) end() {
	clear(s.last[:cap(s.last)])
	clear(s.current[:cap(s.current)])
	s.last, s.current, s.at = s.last[:0], s.current[:0], 0
}

// turn begins a metric.
func (s *sequence) turn() { s.last, s.current, s.at = s.current, s.last[:0], 0 }

// match is the place whose labels text begins with, if it is the expected one.
func (s *sequence) match(text []byte) (place, bool) {
	if s.at == len(s.last) {
		return place{}, false
	}
	p := s.last[s.at]
	// The labels end with a brace; with a blank behind it, it is plain that the
	// parser would end there too.
	n := len(p.text)
	if n >= len(text) || text[n] != ' ' || !bytes.Equal(text[:n], p.text) {
		return place{}, false
	}
	s.at++
	s.current = append(s.current, p)
	return p, true
}

// add notes a series that was parsed, and goes on behind it if it is only that
// others before it did not come.
func (s *sequence) add(text []byte, to target) {
	if len(text) == 0 || text[0] != '{' {
		return // Labels with white space before them are not worth it.
	}
	s.current = append(s.current, place{text: text, target: to})
	ahead := s.last[s.at:min(s.at+maxSkip, len(s.last))]
	for i := range ahead {
		if bytes.Equal(text, ahead[i].text) {
			s.at += i + 1
			return
		}
	}
}
