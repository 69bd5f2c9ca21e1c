// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package message

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/klauspost/compress/s2"
)

// maxMessage is the largest message that is read, in bytes. Those that we write
// are some hundred kilobytes.
const maxMessage = 64 << 20

// Downgrade appends the body of 1.0 that says what a body of 2.0 says, as far as
// 1.0 can: without metadata and starts. It is for bodies that an Encoder made,
// however long ago: what it does not know in one is an error.
func Downgrade(dst, body []byte) ([]byte, error) {
	message, err := plain(body)
	if err != nil {
		return dst, fmt.Errorf("read body of remote-write 2.0: %w", err)
	}
	var symbols []string
	var out, series []byte
	f := fields{rest: message}
	for one, ok := f.next(); ok; one, ok = f.next() {
		switch {
		case one.wire == wireBytes && one.number == 4:
			symbols = append(symbols, string(one.bytes))
		case one.wire == wireBytes && one.number == 5:
			series, err = downgradeSeries(series[:0], one.bytes, symbols)
			if err != nil {
				return dst, fmt.Errorf("read series of remote-write 2.0: %w", err)
			}
			out = append(out, tag(1, wireBytes))
			out = appendVarint(out, uint64(len(series)))
			out = append(out, series...)
		default:
			return dst, fmt.Errorf("read body of remote-write 2.0: field %d: %w", one.number, errMessage)
		}
	}
	if f.err != nil {
		return dst, fmt.Errorf("read body of remote-write 2.0: %w", f.err)
	}
	return appendSnappy(dst, out), nil
}

// plain is what a snappy block holds.
func plain(body []byte) ([]byte, error) {
	n, err := s2.DecodedLen(body)
	if err != nil {
		return nil, err
	}
	if n > maxMessage {
		return nil, fmt.Errorf("%d bytes: %w", n, errMessage)
	}
	return s2.Decode(nil, body)
}

// downgradeSeries appends a series of 1.0 made from one of 2.0.
func downgradeSeries(dst, message []byte, symbols []string) ([]byte, error) {
	f := fields{rest: message}
	for one, ok := f.next(); ok; one, ok = f.next() {
		switch {
		case one.wire == wireBytes && one.number == 1:
			for refs := one.bytes; len(refs) > 0; {
				name, n := binary.Uvarint(refs)
				if n <= 0 {
					return dst, errMessage
				}
				value, m := binary.Uvarint(refs[n:])
				if m <= 0 || max(name, value) >= uint64(len(symbols)) {
					return dst, errMessage
				}
				refs = refs[n+m:]
				dst = appendLabel(dst, symbols[name], symbols[value])
			}
		case one.wire == wireBytes && one.number == 2:
			value, time, err := sample(one.bytes)
			if err != nil {
				return dst, err
			}
			dst = appendSample(dst, value, time, 0)
		case one.wire == wireBytes && one.number == 5:
			// Metadata, which 1.0 has elsewhere.
		default:
			return dst, fmt.Errorf("field %d: %w", one.number, errMessage)
		}
	}
	return dst, f.err
}

// sample is the value and the time of a sample.
func sample(message []byte) (value float64, time int64, err error) {
	f := fields{rest: message}
	for one, ok := f.next(); ok; one, ok = f.next() {
		switch {
		case one.wire == wire64 && one.number == 1:
			value = math.Float64frombits(one.value)
		case one.wire == wireVarint && one.number == 2:
			time = int64(one.value)
		case one.wire == wireVarint && one.number == 3:
			// The start, which 1.0 does not have.
		default:
			return 0, 0, fmt.Errorf("field %d: %w", one.number, errMessage)
		}
	}
	return value, time, f.err
}
