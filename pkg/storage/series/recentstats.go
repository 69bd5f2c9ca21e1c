// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import "sync/atomic"

// RecentStats are figures of a Recent.
type RecentStats struct {
	// Series is how many are held, Bytes what they take, of MaxBytes.
	Series, Bytes, MaxBytes int64
	// Samples counts those taken in. The others were not: Duplicates counts series
	// that came twice, or were taken for one of the same hash, OutOfOrder samples
	// older than their predecessor, Ahead those from the future, and Refused series
	// for which there was no room.
	Samples, Duplicates, OutOfOrder, Ahead, Refused uint64
}

type recentStats struct {
	series                                         atomic.Int64
	samples, duplicate, outOfOrder, ahead, refused atomic.Uint64
}

// Stats is the figures as they are now.
func (r *Recent) Stats() RecentStats {
	s := &r.stats
	return RecentStats{
		Series: s.series.Load(), Bytes: r.bytes.Load(), MaxBytes: r.options.MaxBytes,
		Samples: s.samples.Load(), Duplicates: s.duplicate.Load(), OutOfOrder: s.outOfOrder.Load(), Ahead: s.ahead.Load(), Refused: s.refused.Load(),
	}
}
