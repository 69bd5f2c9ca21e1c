// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package message

// A Type is the type of a series' metric family. The numbers are those of both
// messages.
type Type uint8

// The types that kubelets have.
const (
	Unknown Type = 0
	Counter Type = 1
	Gauge   Type = 2
)

// A Series is what a series is called, as numbers of its sink's Symbols.
type Series struct {
	// Labels are names and values by turns, sorted by name.
	Labels []uint32
	// Help and Unit are 0 where there is none.
	Help, Unit uint32
	Type       Type

	// v1 is the labels as 1.0 has them, made where they are first needed: in 2.0
	// they are numbered anew in each request, in 1.0 they are the same bytes each
	// time, and most of them.
	v1 []byte
}

// NewSeries is a series of the given names and values.
func NewSeries(symbols *Symbols, labels []uint32, t Type, help, unit string) Series {
	return Series{Labels: labels, Type: t, Help: symbols.Use(help), Unit: symbols.Use(unit)}
}

// Release gives back what the series uses of its symbols.
func (s *Series) Release(symbols *Symbols) {
	for _, number := range s.Labels {
		symbols.Release(number)
	}
	symbols.Release(s.Help)
	symbols.Release(s.Unit)
	*s = Series{}
}
