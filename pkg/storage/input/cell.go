// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package input

import (
	"math"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

const (
	// minWindow is the least distance of two samples that a rate is taken from:
	// over a shorter one it is mostly the timestamps' noise.
	minWindow storage.Millis = 1_000
	// minCoarseWindow is the same where times are whole seconds.
	minCoarseWindow storage.Millis = 5_000
	// maxAge is the age, 20 days, beyond which a reading is not kept: nothing
	// that old is served, and columns have no room for its time.
	maxAge storage.Millis = 20 * 24 * 3_600_000
)

// cell is what is held of one input of one row: its newest reading and, of a
// counter, those before from which its rate is taken, newest first. A Time of 0
// is none, here by our clock. It is the form in which the rules see it; columns
// keep it in another.
//
// Invariant: behind a reading that is none there are only such, and times
// strictly fall.
type cell struct {
	points [3]Reading
	// unsettled says that the newest reading may be from before the last change
	// of the node's clock: nothing but equality of its time means something, and
	// there is no other reading.
	unsettled bool
}

// moment is what the rules need to know of the commit.
type moment struct {
	now       storage.Millis // when the answer was complete, by our clock
	offset    storage.Millis // our clock less the node's
	stepped   bool           // the offset is another than that of the last commit
	coarse    bool           // the source's times are whole seconds
	staleness storage.Millis
}

// rate is the rate per second, and the window it was taken over; ok is false
// where there is no second reading.
func (c *cell) rate() (perSecond float64, window storage.Millis, ok bool) {
	oldest := c.points[2]
	if oldest.Time == 0 {
		oldest = c.points[1]
	}
	if oldest.Time == 0 {
		return 0, 0, false
	}
	window = c.points[0].Time - oldest.Time
	return float64(c.points[0].Value-oldest.Value) * 1000 / float64(window), window, true
}

// advance is the cell after the reading n, whose time is by the node's clock;
// sameRun says whether it is of the run that was held. What is refused leaves
// the cell as it was.
func advance(held cell, n Reading, kind Kind, sameRun bool, m moment, refuse func(storage.Refusal)) cell {
	if n.Time == 0 {
		return cell{}
	}
	n.Time += m.offset
	switch {
	case n.Value > math.MaxInt64:
		refuse(storage.RefusedOverflow)
		return held
	case n.Time > m.now+storage.FutureTolerance:
		refuse(storage.RefusedFuture)
		if m.stepped && kind == Counter {
			return cell{} // No rate is taken from what is from before the step.
		}
		return held
	case n.Time < m.now-maxAge:
		refuse(storage.RefusedOutOfOrder)
		return held
	}
	last := held.points[0]
	first := cell{points: [3]Reading{n}}
	switch {
	case m.stepped:
		// The samples of this answer are from before the node's clock stepped or
		// from after it, which cannot be told; any that follows is from after.
		first.unsettled = true
		return first
	case last.Time == 0, !sameRun:
		return first
	case n.Time == last.Time:
		if kind == Gauge {
			held.points[0] = n
		}
		return held
	case held.unsettled:
		return first
	case n.Time < last.Time:
		refuse(storage.RefusedOutOfOrder)
		return held
	case kind == Gauge:
		return first
	}
	window, least := n.Time-last.Time, minWindow
	if m.coarse {
		least = minCoarseWindow
	}
	switch {
	case window < least:
		return held
	case n.Value < last.Value, window > m.staleness:
		return first
	}
	first.points[1] = last
	if before := held.points[1]; m.coarse && before.Time != 0 && n.Time-before.Time <= m.staleness {
		first.points[2] = before
	}
	return first
}
