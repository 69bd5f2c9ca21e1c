// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package input

import (
	"math"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// column is the cells of one input in the form in which they are kept, which is
// what most of the store's memory goes to: an array of values and one of times
// for each reading that a cell can have, 12 bytes a reading. Cells are the rows
// of the input's level and, where nodes have the input, the node itself as the
// last. See BenchmarkMemory.
type column struct {
	points [3]points
}

// points is one reading of every cell; it is empty where no cell can have it.
type points struct {
	values []uint64
	// times are relative to the state's base, so that 32 bits last for 24 days
	// on both sides.
	times []int32
}

// What a relative time can be beside a time.
const (
	none      int32 = math.MinInt32
	unsettled int32 = math.MinInt32 + 1 // of the second reading only
)

// depth is how many readings a cell of the input can have.
func (i *Info) depth() int {
	switch {
	case i.Kind == Gauge:
		return 1
	case i.Source == Summary:
		return 3
	default:
		return 2
	}
}

// newColumn has room for n cells of so many readings.
func newColumn(n, depth int) column {
	var c column
	values, times := make([]uint64, n*depth), make([]int32, n*depth)
	for k := range depth {
		c.points[k] = points{values: values[k*n : (k+1)*n : (k+1)*n], times: times[k*n : (k+1)*n : (k+1)*n]}
	}
	return c
}

func (c *column) len() int { return len(c.points[0].values) }

// at is cell i; base is the state's.
func (c *column) at(i int, base storage.Millis) (held cell) {
	for k := range c.points {
		if len(c.points[k].times) == 0 {
			break
		}
		switch t := c.points[k].times[i]; t {
		case none:
			return held
		case unsettled:
			held.unsettled = true
			return held
		default:
			held.points[k] = Reading{Value: c.points[k].values[i], Time: base + storage.Millis(t)}
		}
	}
	return held
}

// set makes v cell i and says whether it has a reading. One that has been held
// for so long that 32 bits cannot say its time is none.
func (c *column) set(i int, v *cell, base storage.Millis) (known bool) {
	for k := range c.points {
		if len(c.points[k].times) == 0 {
			break
		}
		t := none
		if v.points[k].Time != 0 {
			if relative := v.points[k].Time - base; relative > math.MinInt32+1 && relative <= math.MaxInt32 {
				t = int32(relative)
			}
		} else if k == 1 && v.unsettled {
			t = unsettled
		}
		if c.points[k].times[i] = t; t == none {
			// What stands behind it is not looked at.
			return k > 0
		}
		c.points[k].values[i] = v.points[k].Value
	}
	return true
}
