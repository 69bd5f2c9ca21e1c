// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import "math"

// staleBits is the not-a-number by which Prometheus marks the end of a series.
const staleBits = 0x7ff0000000000002

// StaleMarker is the value that follows the last sample of a series that is gone.
func StaleMarker() float64 { return math.Float64frombits(staleBits) }

// IsStaleMarker tells the end of a series from a value that is not a number.
func IsStaleMarker(v float64) bool { return math.Float64bits(v) == staleBits }
