// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

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

// newColumns has room for n rows.
func newColumns(n int) columns { return columns{rows: make([]keptRow, 0, n)} }

func (c *columns) len() int { return len(c.rows) }

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
	k := keptRow{
		start: row.sample.Start, time: row.sample.Time, served: row.served,
		cpu: row.sample.CPU, memory: row.sample.Memory, nanoCores: row.rate.nanoCores,
		window: int32(row.rate.window), base: row.base, has: row.sample.Has,
	}
	if row.listed {
		k.flags = rowListed
	}
	c.rows = append(c.rows, k)
	c.swap = appendSparse(c.swap, len(c.rows), row.sample.Swap)
	c.ahead = appendSparse(c.ahead, len(c.rows), row.ahead)
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

// usage is what row i adds to its pod's answer.
func (c *columns) usage(i int32, name string) ContainerUsage {
	k := &c.rows[i]
	usage := ContainerUsage{Name: name, CPU: k.nanoCores, Memory: k.memory, HasSwap: k.has&HasSwap != 0}
	if c.swap != nil {
		usage.Swap = c.swap[i]
	}
	return usage
}
