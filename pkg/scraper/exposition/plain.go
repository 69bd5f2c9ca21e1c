// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package exposition

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Plain is what ParsePlain reads.
type Plain struct {
	// Value is what ParseUint makes of the value.
	Value uint64
	// Timestamp is in Unix milliseconds, and 0 where there is none.
	Timestamp int64
	// Size is how many bytes were read, the line feed included; 0 is none.
	Size int
}

// ParsePlain is ParseSample and ParseUint in one pass over what stands behind a series,
// as far as it is in the form in which the Prometheus library writes nearly all samples:
// a blank, digits with a point and an exponent at most, then nothing or a blank and a
// timestamp of 13 digits, which lies between 2001 and 2286, and a line feed, which need
// not be looked for. Whatever else it is, also what overflows, is left to those two, and
// Size is 0.
func ParsePlain(rest []byte, places int) Plain {
	if len(rest) < 3 || rest[0] != ' ' {
		return Plain{}
	}
	var mantissa uint64
	digits, behind, point := 0, 0, 0 // behind counts digits behind the point
	i := 1
number:
	for ; i < len(rest); i++ {
		switch c := rest[i]; {
		case isDigit(c):
			mantissa = mantissa*10 + uint64(c-'0')
			digits++
			behind += point
		case c == '.' && point == 0:
			point = 1
		default:
			break number
		}
	}
	if digits == 0 || digits > maxDigits {
		return Plain{}
	}
	exponent := places - behind
	if i < len(rest) && rest[i] == 'e' {
		power, size := plainExponent(rest[i+1:])
		if size == 0 {
			return Plain{}
		}
		exponent += power
		i += 1 + size
	}
	value, ok := scalePlain(mantissa, exponent)
	if !ok || i == len(rest) {
		return Plain{}
	}
	if rest[i] == '\n' {
		return Plain{Value: value, Size: i + 1}
	}
	const stamp = 13
	if end := i + 1 + stamp; rest[i] == ' ' && end < len(rest) && rest[end] == '\n' {
		if t, ok := thirteenDigits(rest[i+1 : end]); ok {
			return Plain{Value: value, Timestamp: t, Size: end + 1}
		}
	}
	return Plain{}
}

// plainExponent is a sign and two digits; size is 0 where it is anything else.
func plainExponent(b []byte) (power, size int) {
	const length = 3
	if len(b) < length || !isDigit(b[1]) || !isDigit(b[2]) || len(b) > length && isDigit(b[length]) {
		return 0, 0
	}
	power = int(b[1]-'0')*10 + int(b[2]-'0')
	switch b[0] {
	case '+':
		return power, length
	case '-':
		return -power, length
	default:
		return 0, 0
	}
}

// scalePlain is scale, where it is quickly done: by a power of ten that fits 64 bits,
// which mostly is a small one.
func scalePlain(mantissa uint64, exponent int) (uint64, bool) {
	if exponent < -maxDigits || exponent > maxDigits { // 10^19 fits, and is the last that does.
		return 0, false
	}
	power := uint64(1)
	for range max(exponent, -exponent) {
		power *= 10
	}
	if exponent < 0 {
		mantissa /= power
		return mantissa, mantissa <= math.MaxInt64
	}
	hi, lo := bits.Mul64(mantissa, power)
	return lo, hi == 0 && lo <= math.MaxInt64
}

// thirteenDigits is a timestamp whose first digit is not 0. The first eight digits are
// read at once: pairs become numbers, then fours, then all of them.
func thirteenDigits(b []byte) (int64, bool) {
	const zeros, highs, sixes = 0x3030303030303030, 0xf0f0f0f0f0f0f0f0, 0x0606060606060606
	eight := binary.LittleEndian.Uint64(b)
	if b[0] == '0' || eight&highs != zeros || (eight+sixes)&highs != zeros {
		return 0, false
	}
	eight -= zeros
	eight = (eight*10 + eight>>8) & 0x00ff00ff00ff00ff
	eight = (eight*100 + eight>>16) & 0x0000ffff0000ffff
	eight = (eight*10000 + eight>>32) & 0xffffffff
	t := int64(eight)
	for _, c := range b[8:13] {
		if !isDigit(c) {
			return 0, false
		}
		t = t*10 + int64(c-'0')
	}
	return t, true
}
