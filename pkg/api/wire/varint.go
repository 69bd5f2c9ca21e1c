// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import "math/bits"

// VarintSize is how many bytes v takes as a varint.
func VarintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
