// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package message

// appendV2 appends a series with one sample, as field 5 of the request.
func (e *Encoder) appendV2(s *Series, value float64, time, start int64) {
	refs := e.refs[:0]
	for _, number := range s.Labels {
		ref := e.ref(number)
		if ref < 0x80 {
			refs = append(refs, byte(ref))
		} else {
			refs = appendVarint(refs, uint64(ref))
		}
	}
	e.refs = refs
	help, unit := uint64(e.ref(s.Help)), uint64(e.ref(s.Unit))
	metadata := intLen(uint64(s.Type)) + intLen(help) + intLen(unit)

	n := 1 + varintLen(uint64(len(refs))) + len(refs) + sampleLen(value, time, start) + 2 + metadata
	if len(refs) == 0 {
		n -= 2
	}
	m := e.message
	m = append(m, tag(5, wireBytes))
	m = appendVarint(m, uint64(n))
	if len(refs) > 0 {
		m = append(m, tag(1, wireBytes))
		m = appendVarint(m, uint64(len(refs)))
		m = append(m, refs...)
	}
	m = appendSample(m, value, time, start)
	// Type and two references: at most 14 bytes.
	m = append(m, tag(5, wireBytes), byte(metadata))
	m = appendInt(m, 1, uint64(s.Type))
	m = appendInt(m, 3, help)
	e.message = appendInt(m, 4, unit)
}

// ref is the number of a symbol in this request.
func (e *Encoder) ref(number uint32) uint32 {
	if int(number) >= len(e.seen) {
		e.grow()
	}
	if e.seen[number] != e.turn {
		e.seen[number], e.local[number] = e.turn, uint32(len(e.used))
		e.used = append(e.used, number)
	}
	return e.local[number]
}

// appendSymbols appends the symbols that the request has used, as field 4, the
// empty one first.
func (e *Encoder) appendSymbols(dst []byte) []byte {
	for _, number := range e.used {
		text := e.symbols.strings[number]
		dst = append(dst, tag(4, wireBytes))
		dst = appendVarint(dst, uint64(len(text)))
		dst = append(dst, text...)
	}
	return dst
}
