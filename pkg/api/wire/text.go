// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// AppendString appends s as a JSON string. Names are plain ASCII; for whatever needs
// escaping encoding/json is asked.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	begin := len(dst)
	dst = append(dst, s...)
	if !isPlain(dst[begin:]) {
		escaped, err := json.Marshal(s)
		if err != nil {
			panic("BUG: a string has no JSON: " + err.Error())
		}
		return append(dst[:begin-1], escaped...)
	}
	return append(dst, '"')
}

// isPlain is whether text has only bytes that a JSON string has as they are. It
// takes eight bytes at a time as long as those are what nearly all names are made
// of (BenchmarkAppendString).
func isPlain(text []byte) bool {
	for len(text) >= 8 && areOfNames(binary.LittleEndian.Uint64(text)) {
		text = text[8:]
	}
	for _, c := range text {
		if !isPlainByte(c) {
			return false
		}
	}
	return true
}

// areOfNames is whether each of eight bytes is ASCII and either from '-' to ';',
// which has dash, dot, slash and digits, or from '`' on, which has the letters of
// lower case. Among these is nothing that is not plain. Where no byte has its
// high bit, adding 128-x sets it where the byte is at least x, and carries
// nothing over into the next.
func areOfNames(eight uint64) bool {
	const (
		each = 0x0101_0101_0101_0101
		high = each * 0x80
	)
	fromDash := eight + each*(0x80-'-')
	fromLess := eight + each*(0x80-'<')
	fromTick := eight + each*(0x80-'`')
	return eight&high == 0 && fromDash&(^fromLess|fromTick)&high == high
}

// plainLow and plainHigh have a bit for each byte of ASCII that a JSON string has
// as it is.
const (
	plainLow  uint64 = 0xffffffff << ' ' &^ (1<<'"' | 1<<'&' | 1<<'<' | 1<<'>')
	plainHigh uint64 = ^uint64(0) >> 1 &^ (1 << ('\\' - 64))
)

func isPlainByte(c byte) bool {
	if c < 64 {
		return plainLow>>c&1 != 0
	}
	return c < 128 && plainHigh>>(c-64)&1 != 0
}

// AppendTime appends m as a metav1.Time in JSON: whole seconds, UTC, and null for
// none.
func AppendTime(dst []byte, m storage.Millis) []byte {
	if m == 0 {
		return append(dst, "null"...)
	}
	dst = append(dst, '"')
	dst = m.Time().UTC().AppendFormat(dst, time.RFC3339)
	return append(dst, '"')
}

// appendDuration is a metav1.Duration in JSON. Windows last some seconds; others
// are left to the library.
func appendDuration(dst []byte, m storage.Millis) []byte {
	dst = append(dst, '"')
	if m < 1000 || m >= 60_000 {
		dst = append(dst, m.Duration().String()...)
		return append(dst, '"')
	}
	seconds, rest := m/1000, m%1000
	if seconds >= 10 {
		dst = append(dst, '0'+byte(seconds/10))
	}
	dst = append(dst, '0'+byte(seconds%10))
	if rest != 0 {
		dst = append(dst, '.', '0'+byte(rest/100))
		if rest%100 != 0 {
			dst = append(dst, '0'+byte(rest/10%10))
			if rest%10 != 0 {
				dst = append(dst, '0'+byte(rest%10))
			}
		}
	}
	return append(dst, 's', '"')
}
