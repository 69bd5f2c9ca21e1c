// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import "math"

// milli is v in thousandths, rounded to the nearest; ok is false where v is no
// number, less than zero, or too large to be one.
func milli(v float64) (thousandths int64, ok bool) {
	scaled := math.Round(v * 1000)
	// 2^63 itself is a float64 and no int64. A comparison with NaN is false.
	if !(scaled >= 0 && scaled < 1<<63) {
		return 0, false
	}
	return int64(scaled), true
}
