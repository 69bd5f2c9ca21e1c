// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package message

import "github.com/klauspost/compress/s2"

// maxBuffer is the largest buffer that an encoder keeps, in bytes.
const maxBuffer = 8 << 20

// An Encoder makes the body of a request from samples.
type Encoder struct {
	symbols  *Symbols
	protocol Protocol
	samples  int

	// message is the message, in 2.0 without its symbols, which come before it.
	message []byte
	// refs is the label references of one series.
	refs []byte
	// whole is symbols and message of 2.0.
	whole []byte

	// local and seen are parallel, by the number of a symbol: which number it has
	// in this request, if it was seen in it. A request is known by its turn, so
	// that nothing has to be cleared between two.
	local []uint32
	seen  []uint32
	turn  uint32
	// used is the symbols of this request, in the order of their local numbers.
	used []uint32
}

// NewEncoder is an encoder of series whose strings are in symbols. It reads them
// in Append and in AppendBody.
func NewEncoder(symbols *Symbols) *Encoder {
	e := &Encoder{symbols: symbols}
	e.Begin(V2)
	return e
}

// Begin begins a request of a protocol, and forgets the one before.
func (e *Encoder) Begin(protocol Protocol) {
	e.protocol, e.samples = protocol, 0
	e.message = reuse(e.message)
	e.whole = reuse(e.whole)
	e.turn++
	if e.turn == 0 {
		clear(e.seen)
		e.turn = 1
	}
	e.used = append(e.used[:0], 0)
	e.grow()
	e.local[0], e.seen[0] = 0, e.turn
}

// reuse is a buffer's memory, unless it became too large to keep.
func reuse(buffer []byte) []byte {
	if cap(buffer) > maxBuffer {
		return nil
	}
	return buffer[:0]
}

// grow makes room for all symbols that there are.
func (e *Encoder) grow() {
	if n := len(e.symbols.strings) - len(e.local); n > 0 {
		e.local = append(e.local, make([]uint32, n)...)
		e.seen = append(e.seen, make([]uint32, n)...)
	}
}

// Append adds a sample. Times are Unix milliseconds; start is when the counter
// began to count, 0 where that is not known.
func (e *Encoder) Append(s *Series, value float64, time, start int64) {
	if e.protocol == V2 {
		e.appendV2(s, value, time, start)
	} else {
		e.appendV1(s, value, time)
	}
	e.samples++
}

// Samples is how many were appended since Begin.
func (e *Encoder) Samples() int { return e.samples }

// AppendBody appends the body of the request to dst.
func (e *Encoder) AppendBody(dst []byte) []byte {
	message := e.message
	if e.protocol == V2 {
		e.whole = e.appendSymbols(e.whole[:0])
		e.whole = append(e.whole, e.message...)
		message = e.whole
	}
	return appendSnappy(dst, message)
}

// appendSnappy appends a snappy block.
func appendSnappy(dst, message []byte) []byte {
	n, most := len(dst), s2.MaxEncodedLen(len(message))
	if most < 0 {
		panic("BUG: a message of more than four gigabytes")
	}
	if cap(dst)-n < most {
		grown := make([]byte, n, n+most)
		copy(grown, dst)
		dst = grown
	}
	block := s2.EncodeSnappy(dst[n:n+most], message)
	return dst[:n+len(block)]
}
