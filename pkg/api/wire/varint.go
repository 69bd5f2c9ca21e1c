// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import "math/bits"

// varintSize is how many bytes v takes as a varint.
func varintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
