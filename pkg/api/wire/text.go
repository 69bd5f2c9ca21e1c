// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/json"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// AppendString appends s as a JSON string. Names are plain ASCII; for whatever needs
// escaping encoding/json is asked.
func AppendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if !isPlain(s[i]) {
			escaped, err := json.Marshal(s)
			if err != nil {
				panic("BUG: a string has no JSON: " + err.Error())
			}
			return append(dst, escaped...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// plainLow and plainHigh have a bit for each byte of ASCII that a JSON string has
// as it is.
const (
	plainLow  uint64 = 0xffffffff << ' ' &^ (1<<'"' | 1<<'&' | 1<<'<' | 1<<'>')
	plainHigh uint64 = ^uint64(0) >> 1 &^ (1 << ('\\' - 64))
)

func isPlain(c byte) bool {
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
