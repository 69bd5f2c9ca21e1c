// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"math"
	"slices"
)

// columns is a node's rows in the form in which they are kept, which is what
// most of the store's memory goes to: 56 bytes a container, and a column of its
// own for what hardly any row has. See BenchmarkMemory.
type columns struct {
	rows []keptRow
	// swap is the rows' swap in bytes; nil where none is in use.
	swap []uint64
	// ahead is the rows' usageRow.ahead; nil where all are 0.
	ahead []Millis
}

// keptRow is a usageRow without what columns keeps elsewhere.
type keptRow struct {
	start, time, served    Millis
	cpu, memory, nanoCores uint64
	window                 int32 // Options.Validate keeps it from overflowing
	base                   uint16
	has                    Fields
	flags                  rowFlags
}

// rowFlags are the booleans of a row.
type rowFlags uint8

const (
	// rowListed: the newest batch lists the container.
	rowListed rowFlags = 1 << iota
	// rowAnswered: the container is part of its pod's answer, if that is live.
	rowAnswered
)

// listed is whether the newest batch lists the container.
func (k keptRow) listed() bool { return k.flags&rowListed != 0 }

// rated is whether the row has what an answer takes.
func (k *keptRow) rated() bool { return k.window > 0 && k.has&HasMemory != 0 }

// at is row i.
func (c *columns) at(i int32) usageRow {
	k := &c.rows[i]
	row := usageRow{
		sample: Sample{Start: k.start, Time: k.time, CPU: k.cpu, Memory: k.memory, Has: k.has},
		rate:   rate{nanoCores: k.nanoCores, window: Millis(k.window)},
		served: k.served,
		base:   k.base,
		listed: k.flags&rowListed != 0,
	}
	if c.swap != nil {
		row.sample.Swap = c.swap[i]
	}
	if c.ahead != nil {
		row.ahead = c.ahead[i]
	}
	return row
}

// append adds a row that is in no answer yet.
func (c *columns) append(row usageRow) {
	c.rows = append(c.rows, kept(&row))
	c.swap = appendSparse(c.swap, len(c.rows), row.sample.Swap)
	c.ahead = appendSparse(c.ahead, len(c.rows), row.ahead)
}

// kept is what is kept of a row that is in no answer yet.
func kept(row *usageRow) keptRow {
	k := keptRow{
		start: row.sample.Start, time: row.sample.Time, served: row.served,
		cpu: row.sample.CPU, memory: row.sample.Memory, nanoCores: row.rate.nanoCores,
		window: int32(row.rate.window), base: row.base, has: row.sample.Has,
	}
	if row.listed {
		k.flags = rowListed
	}
	return k
}

// advanced is the columns of the next state, in the memory of as many rows, by a batch
// that lists the same rows as the one before. Rows that this had not listed stay as they
// are.
func (c *columns) advanced(rows []keptRow, b *Batch, m *moment, refuse func(Refusal)) columns {
	next := columns{rows: rows, swap: slices.Clone(c.swap), ahead: slices.Clone(c.ahead)}
	copy(next.rows, c.rows)
	listed := 0
	for i := range next.rows {
		if !next.rows[i].listed() {
			next.rows[i].flags = 0
			continue
		}
		n, estimate := &b.Samples[listed], b.estimate(listed)
		listed++
		if estimate == 0 && next.advanceUsual(i, n, m) {
			next.rows[i].flags = rowListed
			continue
		}
		row := advance(c.at(int32(i)), true, *n, estimate, *m, refuse)
		row.listed = true
		next.rows[i] = kept(&row)
		next.swap = setSparse(next.swap, len(next.rows), i, row.sample.Swap)
		next.ahead = setSparse(next.ahead, len(next.rows), i, row.ahead)
	}
	next.swap, next.ahead = dropped(next.swap), dropped(next.ahead)
	return next
}

// advanceUsual is advance in place for what nearly all samples are: the one that
// is held, or a newer one of the same run, with the same readings and a rate. It
// says false and changes nothing where a sample is anything else. The model test
// holds it against advance; BenchmarkCommit is what it is for.
func (c *columns) advanceUsual(i int, n *Sample, m *moment) bool {
	k := &c.rows[i]
	swap := c.swap != nil
	switch {
	case n.Has != k.has || n.Has&HasCPU == 0,
		n.Has&HasMemory == 0 || n.Memory > math.MaxInt64,
		n.Swap != 0 && !(swap && n.Has&HasSwap != 0 && n.Swap <= math.MaxInt64),
		n.Time > m.now+FutureTolerance-m.offset || n.Time < n.Start || n.Start != k.start:
		return false
	}
	if n.Time != k.time {
		window := n.Time - k.time
		if k.base != m.base || c.ahead != nil || window < minWindow || window > m.staleness || n.CPU < k.cpu {
			return false
		}
		r, fits := rateOf(n.CPU-k.cpu, window)
		if !fits {
			return false
		}
		k.time, k.cpu, k.served = n.Time, n.CPU, min(n.Time+m.offset, m.now)
		k.nanoCores, k.window = r.nanoCores, int32(r.window)
	}
	k.memory = n.Memory
	if swap {
		c.swap[i] = n.Swap
	}
	return true
}

// appendSparse makes v the n-th value of a column that is nil while all of its
// values are 0.
func appendSparse[T Millis | uint64](column []T, n int, v T) []T {
	if column == nil {
		if v == 0 {
			return nil
		}
		column = make([]T, n-1, n+n/2)
	}
	return append(column, v)
}

// setSparse sets value i of a column of n values that may be nil.
func setSparse[T Millis | uint64](column []T, n, i int, v T) []T {
	if column == nil {
		if v == 0 {
			return nil
		}
		column = make([]T, n)
	}
	column[i] = v
	return column
}

// dropped is nil for a column whose values are all 0.
func dropped[T Millis | uint64](column []T) []T {
	for _, v := range column {
		if v != 0 {
			return column
		}
	}
	return nil
}

// usage is what row i adds to its pod's answer.
func (c *columns) usage(i int32, name string) ContainerUsage {
	k := &c.rows[i]
	usage := ContainerUsage{Name: name, CPU: k.nanoCores, Memory: k.memory, HasSwap: k.has&HasSwap != 0}
	if c.swap != nil {
		usage.Swap = c.swap[i]
	}
	return usage
}

// swapOf is the swap of a pod's rows; nil where none is in use on the node.
func (c *columns) swapOf(pod *PodRows) []uint64 {
	if c.swap == nil {
		return nil
	}
	return c.swap[pod.First:pod.End]
}
