// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package message

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// The wire types of protobuf that the messages have.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

// tag is how a field begins. All fields of the messages are below 16, so that it
// is one byte.
func tag(field, wire byte) byte { return field<<3 | wire }

// varintLen is how many bytes a varint takes.
func varintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

func appendVarint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

// appendString appends a field of bytes, unless it is empty: that is how proto3
// says so.
func appendString(dst []byte, field byte, text string) []byte {
	if text == "" {
		return dst
	}
	dst = append(dst, tag(field, wireBytes))
	dst = appendVarint(dst, uint64(len(text)))
	return append(dst, text...)
}

func stringLen(text string) int {
	if text == "" {
		return 0
	}
	return 1 + varintLen(uint64(len(text))) + len(text)
}

// appendInt appends a field with a number, unless it is 0.
func appendInt(dst []byte, field byte, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return appendVarint(append(dst, tag(field, wireVarint)), v)
}

func intLen(v uint64) int {
	if v == 0 {
		return 0
	}
	return 1 + varintLen(v)
}

// appendSample appends the field 2 of both messages' series. A start of 0 is none;
// 1.0 has none.
func appendSample(dst []byte, value float64, time, start int64) []byte {
	b := math.Float64bits(value)
	n := intLen(uint64(time)) + intLen(uint64(start))
	if b != 0 {
		n += 9
	}
	// At most 31, so its length is one byte.
	dst = append(dst, tag(2, wireBytes), byte(n))
	if b != 0 {
		dst = append(dst, tag(1, wire64))
		dst = binary.LittleEndian.AppendUint64(dst, b)
	}
	dst = appendInt(dst, 2, uint64(time))
	return appendInt(dst, 3, uint64(start))
}

// sampleLen is how many bytes appendSample appends.
func sampleLen(value float64, time, start int64) int {
	n := 2 + intLen(uint64(time)) + intLen(uint64(start))
	if math.Float64bits(value) != 0 {
		n += 9
	}
	return n
}

// errMessage says that bytes are not the message that they should be.
var errMessage = errors.New("malformed message")

// A fields reads the fields of a message one after the other.
type fields struct {
	rest []byte
	err  error
}

// A field is one field of a message: a number, or bytes.
type field struct {
	number byte
	wire   byte
	value  uint64
	bytes  []byte
}

// next is the next field; false at the end, or where the rest cannot be read,
// which err then says.
func (f *fields) next() (field, bool) {
	if len(f.rest) == 0 || f.err != nil {
		return field{}, false
	}
	key := f.varint()
	if key>>3 > 15 {
		f.err = errMessage
		return field{}, false
	}
	out := field{number: byte(key >> 3), wire: byte(key & 7)}
	switch out.wire {
	case wireVarint:
		out.value = f.varint()
	case wire64:
		if b := f.take(8); b != nil {
			out.value = binary.LittleEndian.Uint64(b)
		}
	case wire32:
		if b := f.take(4); b != nil {
			out.value = uint64(binary.LittleEndian.Uint32(b))
		}
	case wireBytes:
		out.bytes = f.take(f.varint())
	default:
		f.err = errMessage
	}
	return out, f.err == nil
}

func (f *fields) varint() uint64 {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 {
		f.err, f.rest = errMessage, nil
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

func (f *fields) take(n uint64) []byte {
	if f.err != nil || n > uint64(len(f.rest)) {
		f.err, f.rest = errMessage, nil
		return nil
	}
	b := f.rest[:n:n]
	f.rest = f.rest[n:]
	return b
}
