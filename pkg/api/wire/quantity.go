// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"math"
	"math/bits"
	"strconv"
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
	return append(strconv.AppendUint(dst, q.number, 10), q.suffix...)
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
