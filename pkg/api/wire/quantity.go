// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
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

// asciiZeros is the digit 0 in each of eight bytes.
const asciiZeros = 0x3030_3030_3030_3030

// appendDigits is strconv.AppendUint to the base of 10, eight digits at a time: see
// BenchmarkAppendDigits.
func appendDigits(dst []byte, n uint64) []byte {
	const eight = 100_000_000
	if n >= eight {
		dst = appendDigits(dst, n/eight)
		return binary.LittleEndian.AppendUint64(dst, eightDigits(n%eight)|asciiZeros)
	}
	d := eightDigits(n)
	leading := min(bits.TrailingZeros64(d)/8, 7) // 0 has one digit, too
	dst = binary.LittleEndian.AppendUint64(dst, (d|asciiZeros)>>(8*leading))
	return dst[:len(dst)-leading]
}

// eightDigits is the digits of n, below 10^8, a byte each, with the first in the
// lowest. Halves, quarters and digits are made for all of them at once, and divisions
// are multiplications that are exact for as many digits as there are: for x below
// 10^4, x/100 is x*10486>>20, and for x below 100, x/10 is x*103>>10.
func eightDigits(n uint64) uint64 {
	const (
		quarters = 0x7f<<32 | 0x7f
		tens     = 0xf<<48 | 0xf<<32 | 0xf<<16 | 0xf
	)
	high := n / 10_000
	halves := high | (n-10_000*high)<<32
	upper := halves * 10486 >> 20 & quarters
	pairs := upper | (halves-100*upper)<<16
	upper = pairs * 103 >> 10 & tens
	return upper | (pairs-10*upper)<<8
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
