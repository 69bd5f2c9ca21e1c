// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// parseMoment reads a time as RFC 3339 has it. A summary has some for each
// container, all of one form, which it reads without the general parser; ok is
// false where text is no time, and for times that no kubelet can mean.
func parseMoment(text []byte) (m storage.Millis, ok bool) {
	seconds, ok := parseUTC(text)
	if ok {
		m = storage.Millis(seconds) * 1000
	} else {
		t, err := time.Parse(time.RFC3339, string(text))
		if err != nil {
			return 0, false
		}
		m = storage.Millis(t.UnixMilli())
	}
	return m, m <= maxMillis
}

// parseUTC reads "2006-01-02T15:04:05Z" as Unix seconds; ok is false for all
// other forms, and for days that months do not have.
func parseUTC(b []byte) (seconds int64, ok bool) {
	const form = "0000-00-00T00:00:00Z"
	if len(b) != len(form) {
		return 0, false
	}
	for i := range form {
		if form[i] == '0' {
			ok = isDigit(b[i])
		} else {
			ok = b[i] == form[i]
		}
		if !ok {
			return 0, false
		}
	}
	number := func(from, to int) (n int64) {
		for _, c := range b[from:to] {
			n = n*10 + int64(c-'0')
		}
		return n
	}
	year, month, day := number(0, 4), number(5, 7), number(8, 10)
	hour, minute, second := number(11, 13), number(14, 16), number(17, 19)
	// The last days of a month are left to the general parser.
	if month < 1 || month > 12 || day < 1 || day > 28 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	// Days in the Gregorian calendar, counted from the first of March of year 0,
	// so that the leap day is a year's last.
	if month < 3 {
		year, month = year-1, month+12
	}
	if year < 0 {
		return 0, false
	}
	days := 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1
	const epoch = 719468 // The days from there to 1970-01-01.
	return (days-epoch)*86400 + hour*3600 + minute*60 + second, true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
