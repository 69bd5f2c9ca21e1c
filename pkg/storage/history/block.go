// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"encoding/binary"
	"errors"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// A block is a version and samples, each of them written against what came before
// it in the block. A sample begins with a byte that says what follows:
//
//	bits 0-1  which series: the one after that of the sample before, in the order in
//	          which the block's series first appeared (next); one that appears here
//	          for the first time, and its number follows (first); or another, and
//	          how many places on or back follows (jump)
//	bit 2     the time is not that of the sample before: the difference follows
//	bits 3-5  the value: the same as the series' last; an integer's difference to
//	          its last; a new scale, and the integer follows; or eight bytes of bits
//	bits 6-7  are zero
//
// Differences and integers are variable-length, signs folded into the lowest bit.
// An answer like the one before thus takes a byte for each value that stayed, and
// two to four for most of those that did not.
const (
	blockVersion = 1

	placeMask  = 0b11
	placeNext  = 0
	placeFirst = 1
	placeJump  = 2

	timeBit = 1 << 2

	kindShift  = 3
	kindSame   = 0
	kindDelta  = 1
	kindScales = 1 // Plus the scale: 2 to 5.
	kindRaw    = 6
)

// maxSampleBytes is the longest sample: its byte, a number, a time, a value.
const maxSampleBytes = 1 + 3*binary.MaxVarintLen64

// A stream is a block that is being written.
type stream struct {
	buf []byte
	// locals is how many series it has, place the one after the last sample's, id
	// the number that was written last, and time the last sample's.
	locals, place int
	id            uint32
	time          storage.Millis
	// first and last are the least and the greatest time.
	first, last storage.Millis
	samples     int
}

// A state is what a sample is written against: one series in one block.
type state struct {
	value int64
	local int32
	scale scale
}

// reset begins a block.
func (s *stream) reset() { *s = stream{buf: append(s.buf[:0], blockVersion)} }

// append writes a sample of a series, known by its number. Where fresh, the series
// has not been in this block before, and state is made.
func (s *stream) append(id uint32, st *state, fresh bool, t storage.Millis, v float64) {
	at := len(s.buf)
	s.buf = append(s.buf, 0)
	var control byte
	switch {
	case fresh:
		control = placeFirst
		s.buf = binary.AppendVarint(s.buf, int64(id)-int64(s.id))
		s.id = id
		*st = state{local: int32(s.locals)}
		s.locals++
	case int(st.local) != s.place:
		control = placeJump
		s.buf = binary.AppendVarint(s.buf, int64(int(st.local)-s.place))
	}
	s.place = int(st.local) + 1
	if t != s.time {
		control |= timeBit
		s.buf = binary.AppendVarint(s.buf, int64(t-s.time))
		s.time = t
	}
	if s.samples == 0 {
		s.first, s.last = t, t
	}
	s.first, s.last = min(s.first, t), max(s.last, t)
	s.samples++

	sc, n, ok := st.scale, int64(0), false
	if !fresh && sc != raw {
		n, ok = sc.fit(v)
	}
	if !ok {
		// A series moves on to finer scales only, so that one whose values happen
		// to fit a coarse one now and then does not change all the time.
		sc, n = choose(v, sc)
	}
	switch {
	case !fresh && sc == st.scale && n == st.value:
		control |= kindSame << kindShift
	case sc == raw:
		control |= kindRaw << kindShift
		s.buf = binary.LittleEndian.AppendUint64(s.buf, uint64(n))
	case !fresh && sc == st.scale:
		control |= kindDelta << kindShift
		s.buf = binary.AppendVarint(s.buf, n-st.value)
	default:
		control |= (kindScales + byte(sc)) << kindShift
		s.buf = binary.AppendVarint(s.buf, n)
	}
	st.scale, st.value = sc, n
	s.buf[at] = control
}

// errBlock is that a block cannot be what a stream wrote.
var errBlock = errors.New("malformed block of history")

// A scan reads the samples of a block.
type scan struct {
	data   []byte
	locals []local
	place  int
	lastID uint32
	time   storage.Millis
	err    error

	// The sample that was read last.
	id    uint32
	value float64
}

// local is a series of a block, as far as it was read.
type local struct {
	id    uint32
	scale scale
	value int64
}

// start begins to read a block; the memory of the one before is used again.
func (s *scan) start(block []byte) {
	*s = scan{locals: s.locals[:0]}
	if len(block) == 0 || block[0] != blockVersion {
		s.err = errBlock
		return
	}
	s.data = block[1:]
}

// next reads a sample into id, time and value. False is the end, or that err is set.
func (s *scan) next() bool {
	if s.err != nil || len(s.data) == 0 {
		return false
	}
	control := s.data[0]
	s.data = s.data[1:]
	fresh := false
	switch control & placeMask {
	case placeNext:
	case placeFirst:
		fresh = true
		id := int64(s.lastID) + s.varint()
		if id < 0 || id > 1<<32-1 {
			s.err = errBlock
		}
		s.lastID = uint32(id)
		s.place = len(s.locals)
		s.locals = append(s.locals, local{id: s.lastID})
	case placeJump:
		jump := s.varint()
		if jump < -int64(len(s.locals)) || jump > int64(len(s.locals)) {
			s.err = errBlock
		}
		s.place += int(jump)
	default:
		s.err = errBlock
	}
	if s.err != nil || s.place < 0 || s.place >= len(s.locals) {
		s.err = errBlock
		return false
	}
	l := &s.locals[s.place]
	s.place++
	if control&timeBit != 0 {
		s.time += storage.Millis(s.varint())
	}
	switch kind := control >> kindShift; {
	case kind == kindSame && !fresh:
	case kind == kindDelta && !fresh && l.scale != raw:
		l.value += s.varint()
	case kind > kindScales && kind <= kindScales+byte(scales-1):
		l.scale, l.value = scale(kind-kindScales), s.varint()
	case kind == kindRaw && len(s.data) >= 8:
		l.scale, l.value = raw, int64(binary.LittleEndian.Uint64(s.data))
		s.data = s.data[8:]
	default:
		s.err = errBlock
	}
	s.id, s.value = l.id, l.scale.value(l.value)
	return s.err == nil
}

// varint reads an integer.
func (s *scan) varint() int64 {
	n, size := binary.Varint(s.data)
	if size <= 0 {
		s.err = errBlock
		s.data = nil
		return 0
	}
	s.data = s.data[size:]
	return n
}
