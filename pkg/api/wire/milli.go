// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import "strconv"

// milliSuffixes are those of the powers of 1000 from a thousandth on; the blank
// stands for none. An int64 has fewer digits than they have room for.
const milliSuffixes = "m kMGTP"

// AppendMilli appends a number of thousandths as a decimal resource.Quantity
// writes it.
func AppendMilli(dst []byte, milli int64) []byte {
	n, suffix := scaleMilli(milli)
	dst = strconv.AppendInt(dst, n, 10)
	if suffix != ' ' {
		dst = append(dst, suffix)
	}
	return dst
}

// MilliSize is how many bytes AppendMilli appends, at most 21.
func MilliSize(milli int64) int {
	n, suffix := scaleMilli(milli)
	size := 0
	if suffix != ' ' {
		size = 1
	}
	if n < 0 {
		return size + 1 + digits(-uint64(n))
	}
	return size + digits(uint64(n))
}

// scaleMilli is a number of thousandths with the largest suffix with which it is
// a whole number.
func scaleMilli(milli int64) (n int64, suffix byte) {
	if milli == 0 {
		return 0, ' '
	}
	power := 0
	for milli%1000 == 0 {
		milli /= 1000
		power++
	}
	return milli, milliSuffixes[power]
}
