// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package exposition

import (
	"math"
	"strconv"
)

// ParseFloat is a value as a float64, read as prometheus does: NaN of any kind is
// one NaN, and what float64 cannot hold is refused. What it returns is a
// NumberError.
func ParseFloat(value []byte) (float64, error) {
	if v, n := scanDecimal(value); n == len(value) && n > 0 {
		return v, nil
	}
	return parseFloat(value)
}

// parseFloat is ParseFloat for what scanDecimal does not read.
func parseFloat(value []byte) (float64, error) {
	for _, c := range value {
		if c == '_' || c|0x20 == 'p' {
			return 0, ErrNumberSyntax // Hexadecimal and underscores are Go's and not the format's.
		}
	}
	v, err := strconv.ParseFloat(string(value), 64)
	switch {
	case err == nil && v != v:
		return math.Float64frombits(normalNaN), nil
	case err == nil:
		return v, nil
	case math.IsInf(v, 0):
		return 0, ErrOverflow
	default:
		return 0, ErrNumberSyntax
	}
}

// normalNaN is prometheus' NaN for a value that is not a number.
const normalNaN = 0x7ff8000000000001

// maxExact is the largest integer up to which float64 has all.
const maxExact = 1 << 53

// scanDecimal reads the decimal number that b begins with, and is its length; 0
// where it is not of the plain kind that can be read exactly in one step: digits
// up to maxExact, times or by a power of ten that float64 has exactly. Both
// operands are exact then, so that the result is rounded once, as it should be.
func scanDecimal(b []byte) (v float64, n int) {
	negative := n < len(b) && b[n] == '-'
	if negative {
		n++
	}
	var mantissa uint64
	var power int
	begin := n
	for ; n < len(b) && b[n]-'0' <= 9; n++ {
		mantissa = mantissa*10 + uint64(b[n]-'0')
	}
	digits := n - begin
	if n < len(b) && b[n] == '.' {
		n++
		point := n
		for ; n < len(b) && b[n]-'0' <= 9; n++ {
			mantissa = mantissa*10 + uint64(b[n]-'0')
		}
		power = point - n
		digits += n - point
	}
	if digits == 0 || digits > maxDigits || mantissa > maxExact {
		return 0, 0
	}
	if n < len(b) && b[n]|0x20 == 'e' {
		m := n + 1
		down := false
		if m < len(b) && (b[m] == '+' || b[m] == '-') {
			down = b[m] == '-'
			m++
		}
		exponent, begin := 0, m
		for ; m < len(b) && b[m]-'0' <= 9 && m-begin < 4; m++ {
			exponent = exponent*10 + int(b[m]-'0')
		}
		if m == begin {
			return 0, 0
		}
		if down {
			exponent = -exponent
		}
		power += exponent
		n = m
	}
	v = float64(mantissa)
	switch {
	case power == 0:
	case power > 0 && power <= 22:
		v *= powerOfTen(power)
	case power < 0 && power >= -22:
		v /= powerOfTen(-power)
	default:
		return 0, 0
	}
	if negative {
		v = -v
	}
	return v, n
}

// powerOfTen is 10^n, exactly, for n up to 22.
func powerOfTen(n int) float64 {
	return [...]float64{
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
	}[n]
}

// ScanSample reads value and timestamp behind a series, up to and with the line
// feed, where they are written the plain way: one blank before each. It is for who knows without parsing where the series ends. n
// is the length of what was read; 0 is that Series.Parse has to look, and to say
// whether it is a sample at all.
func ScanSample(rest []byte) (v float64, timestamp int64, hasTimestamp bool, n int) {
	if len(rest) == 0 || rest[0] != ' ' {
		return 0, 0, false, 0
	}
	if v, n = scanDecimal(rest[1:]); n == 0 {
		for n = 1; n < len(rest) && rest[n] > ' ' && rest[n] != '{'; n++ {
		}
		var err error
		if v, err = parseFloat(rest[1:n]); err != nil {
			return 0, 0, false, 0
		}
		n--
	}
	n++
	switch {
	case n >= len(rest):
		return 0, 0, false, 0
	case rest[n] == '\n':
		return v, 0, false, n + 1
	case rest[n] != ' ':
		return 0, 0, false, 0
	}
	n++
	begin := n
	for ; n < len(rest) && rest[n]-'0' <= 9; n++ {
		timestamp = timestamp*10 + int64(rest[n]-'0')
	}
	if n == begin || n-begin >= maxDigits || n == len(rest) || rest[n] != '\n' {
		return 0, 0, false, 0
	}
	return v, timestamp, true, n + 1
}
