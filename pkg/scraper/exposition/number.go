// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package exposition

import "math"

// NumberError is why a value is not an unsigned integer that can be held.
type NumberError uint8

// The reasons for which ParseUint refuses a value.
const (
	// ErrNumberSyntax: it is not a number as the format has it.
	ErrNumberSyntax NumberError = iota
	// ErrNaN: it is NaN.
	ErrNaN
	// ErrInfinite: it is an infinity of either sign.
	ErrInfinite
	// ErrNegative: it is below zero, by however little.
	ErrNegative
	// ErrOverflow: it is above math.MaxInt64.
	ErrOverflow
)

// Error is the reason in words.
func (e NumberError) Error() string {
	switch e {
	case ErrNumberSyntax:
		return "not a number"
	case ErrNaN:
		return "NaN"
	case ErrInfinite:
		return "infinite"
	case ErrNegative:
		return "negative"
	case ErrOverflow:
		return "beyond 2^63-1"
	default:
		return "unknown number error"
	}
}

// maxDigits is how many decimal digits are certain to fit 64 bits. Since
// results end at math.MaxInt64, which has 19 digits, no other digit can matter.
const maxDigits = 19

// ParseUint is value × 10^places, cut off below the unit: with places 9 it
// reads seconds as nanoseconds. It works on the digits as they are printed, so
// that there is no rounding but that of whoever printed them. The result is at
// most math.MaxInt64, because that is what an API's quantity can hold. What it
// returns is a NumberError.
func ParseUint(value []byte, places int) (uint64, error) {
	unsigned := value
	negative := false
	if len(value) > 0 && (value[0] == '-' || value[0] == '+') {
		negative = value[0] == '-'
		unsigned = value[1:]
	}
	mantissa, exponent, n := parseDigits(unsigned)
	if n == 0 {
		return 0, notDigits(value, unsigned)
	}
	if n < len(unsigned) {
		power, ok := parseExponent(unsigned[n:])
		if !ok {
			return 0, ErrNumberSyntax
		}
		exponent += power
	}
	if mantissa == 0 {
		return 0, nil
	}
	if negative {
		return 0, ErrNegative
	}
	return scale(mantissa, exponent+int64(places))
}

// parseDigits reads digits with an optional point among them: n bytes, which
// mean mantissa × 10^exponent, where the mantissa has the first maxDigits
// significant digits and those behind are cut off. n is 0 where there is no
// digit.
func parseDigits(b []byte) (mantissa uint64, exponent int64, n int) {
	point := false
	digits, significant := 0, 0
	for ; n < len(b); n++ {
		c := b[n]
		if c == '.' && !point {
			point = true
			continue
		}
		if !isDigit(c) {
			break
		}
		digits++
		if point {
			exponent--
		}
		switch {
		case significant == maxDigits:
			exponent++
		case mantissa > 0 || c != '0':
			mantissa = mantissa*10 + uint64(c-'0')
			significant++
		}
	}
	if digits == 0 {
		return 0, 0, 0
	}
	return mantissa, exponent, n
}

// parseExponent reads all of b as the letter e and a power of ten.
func parseExponent(b []byte) (power int64, ok bool) {
	if b[0] != 'e' && b[0] != 'E' {
		return 0, false
	}
	b = b[1:]
	negative := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		b = b[1:]
	}
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		// Beyond this no number of digits in memory could make up for it.
		if power < 1<<50 {
			power = power*10 + int64(c-'0')
		}
	}
	if negative {
		power = -power
	}
	return power, len(b) > 0
}

// scale is mantissa × 10^exponent, cut off below 1; mantissa is not 0.
func scale(mantissa uint64, exponent int64) (uint64, error) {
	for ; exponent < 0 && mantissa > 0; exponent++ {
		mantissa /= 10
	}
	for ; exponent > 0 && mantissa > 0; exponent-- {
		if mantissa > math.MaxInt64/10 {
			return 0, ErrOverflow
		}
		mantissa *= 10
	}
	if mantissa > math.MaxInt64 {
		return 0, ErrOverflow
	}
	return mantissa, nil
}

// notDigits is the error for a value that has no digits: one of the words for
// NaN and infinity, in whatever case, or nonsense. NaN has no sign.
func notDigits(value, unsigned []byte) error {
	switch {
	case equalFold(value, "nan"):
		return ErrNaN
	case equalFold(unsigned, "inf"), equalFold(unsigned, "infinity"):
		return ErrInfinite
	default:
		return ErrNumberSyntax
	}
}

// equalFold compares b with an ASCII word in lower case.
func equalFold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
