// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"math"
	"math/bits"
)

// A quantity is written in its canonical form: with the largest suffix with
// which it is a whole number.
type quantity struct {
	number uint64
	// suffix is at most two bytes.
	suffix string
}

// The suffixes, a power of 1000 or of 1024 each.
const (
	nanoSuffixes   = "num kMG" // the blank stands for none
	binarySuffixes = "KiMiGiTiPiEi"
)

// cpuQuantity is an amount of CPU, which is decimal. What exceeds an int64, as
// nothing in the store does, is cut to it.
func cpuQuantity(nanoCores uint64) quantity {
	if nanoCores == 0 {
		return quantity{}
	}
	n, power := min(nanoCores, math.MaxInt64), 0
	for n%1000 == 0 {
		n /= 1000
		power++
	}
	if nanoSuffixes[power] == ' ' {
		return quantity{number: n}
	}
	return quantity{number: n, suffix: nanoSuffixes[power : power+1]}
}

// bytesQuantity is a number of bytes, which is binary; below 1024, decimal.
func bytesQuantity(size uint64) quantity {
	n := min(size, math.MaxInt64)
	if n < 1024 {
		if n == 1000 {
			return quantity{number: 1, suffix: "k"}
		}
		return quantity{number: n}
	}
	power := bits.TrailingZeros64(n) / 10
	if power == 0 {
		return quantity{number: n}
	}
	return quantity{number: n >> (10 * power), suffix: binarySuffixes[2*power-2 : 2*power]}
}

func (q quantity) append(dst []byte) []byte {
	dst = appendDigits(dst, q.number)
	for i := range len(q.suffix) { // less than the call for a copy
		dst = append(dst, q.suffix[i])
	}
	return dst
}

// pairs is the numbers from 0 to 99, two digits each.
const pairs = "00010203040506070809101112131415161718192021222324" +
	"25262728293031323334353637383940414243444546474849" +
	"50515253545556575859606162636465666768697071727374" +
	"75767778798081828384858687888990919293949596979899"

// appendDigits is strconv.AppendUint to the base of 10. It puts digits where they
// belong, with none to be copied: see BenchmarkAppendDigits.
func appendDigits(dst []byte, n uint64) []byte {
	if n < 10 {
		return append(dst, '0'+byte(n))
	}
	at := len(dst) + digits(n)
	dst = append(dst, "00000000000000000000"...)[:at]
	for n >= 100 {
		at -= 2
		pair := 2 * (n % 100)
		n /= 100
		dst[at], dst[at+1] = pairs[pair], pairs[pair+1]
	}
	if n >= 10 {
		dst[at-2], dst[at-1] = pairs[2*n], pairs[2*n+1]
	} else {
		dst[at-1] = '0' + byte(n)
	}
	return dst
}

// size is how many bytes append appends.
func (q quantity) size() int { return digits(q.number) + len(q.suffix) }

// digits is how many digits n has.
func digits(n uint64) int {
	d := 1
	for ; n >= 10_000; n /= 10_000 {
		d += 4
	}
	switch {
	case n >= 1000:
		return d + 3
	case n >= 100:
		return d + 2
	case n >= 10:
		return d + 1
	default:
		return d
	}
}
