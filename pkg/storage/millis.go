// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import "time"

// Millis is a moment in Unix milliseconds, or a length of time in milliseconds.
// Zero means unknown where a moment is meant.
type Millis int64

// MillisOf is t in Unix milliseconds; the zero time is 0.
func MillisOf(t time.Time) Millis {
	if t.IsZero() {
		return 0
	}
	return Millis(t.UnixMilli())
}

// MillisIn is the whole milliseconds in d.
func MillisIn(d time.Duration) Millis { return Millis(d.Milliseconds()) }

// Time is the moment m; it is the zero time where m is 0.
func (m Millis) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m))
}

// Duration is the length of time m.
func (m Millis) Duration() time.Duration { return time.Duration(m) * time.Millisecond }
