// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package message

import "strings"

// Symbols keeps every string once and numbers it. Number 0 is the empty string.
// Its owner serializes calls.
type Symbols struct {
	numbers map[string]uint32
	// strings and uses are parallel, by number; what has no use is in free.
	strings []string
	uses    []uint32
	free    []uint32
	bytes   int
}

// NewSymbols is a set of no strings but the empty one.
func NewSymbols() *Symbols {
	return &Symbols{numbers: map[string]uint32{"": 0}, strings: []string{""}, uses: []uint32{1}}
}

// Use is the number of text, of which a copy is kept, until Release is called as
// often as Use was.
func (s *Symbols) Use(text string) uint32 {
	if number, ok := s.numbers[text]; ok {
		s.uses[number]++
		return number
	}
	text = strings.Clone(text)
	number := uint32(len(s.strings))
	if n := len(s.free); n > 0 {
		number = s.free[n-1]
		s.free = s.free[:n-1]
		s.strings[number], s.uses[number] = text, 1
	} else {
		s.strings, s.uses = append(s.strings, text), append(s.uses, 1)
	}
	s.numbers[text] = number
	s.bytes += len(text)
	return number
}

// Release takes one use of a number back. After the last, the number may become
// another string's.
func (s *Symbols) Release(number uint32) {
	s.uses[number]--
	if s.uses[number] > 0 {
		return
	}
	text := s.strings[number]
	delete(s.numbers, text)
	s.strings[number] = ""
	s.free = append(s.free, number)
	s.bytes -= len(text)
}

// Text is the string that a number stands for.
func (s *Symbols) Text(number uint32) string { return s.strings[number] }

// Len is how many strings there are.
func (s *Symbols) Len() int { return len(s.strings) - len(s.free) }

// Bytes is how long all strings are together.
func (s *Symbols) Bytes() int { return s.bytes }
