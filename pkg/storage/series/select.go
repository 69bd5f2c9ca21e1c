// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"math"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Points are samples of one series, oldest first.
type Points struct {
	// Series is the series' number, which no other ever has. A series that comes
	// back after it was forgotten has another.
	Series uint64
	// Labels are all labels, those of the target among them. They are never written
	// again and may be kept.
	Labels Labels
	// Times, by our clock, and Values are parallel. Where a series ended, its last
	// value is a stale marker; others may follow if it came back. They are valid
	// until each returns.
	Times  []storage.Millis
	Values []float64
}

// Select gives each series that has samples in a time, to which from and to
// belong, until each returns false. namespace is that of its label; empty is all
// of them, those without one too. An empty name is all names; match is called with
// what is left, nil is no condition. Series come in no order.
//
// It waits for nobody, and sees each series at some moment during the call.
func (r *Recent) Select(namespace, name string, match func(Labels) bool, from, to storage.Millis, each func(Points) bool) {
	var times []storage.Millis
	r.index.each(namespace, name, func(l *list) bool {
		for _, ring := range l.all() {
			p := ring.points.Load()
			n := int(p.n.Load())
			first, end := p.search(n, from), n
			if to < math.MaxInt64 {
				end = p.search(n, to+1)
			}
			if first >= end || match != nil && !match(ring.labels) {
				continue
			}
			times = times[:0]
			for _, after := range p.times[first:end] {
				times = append(times, p.base+storage.Millis(after))
			}
			if !each(Points{Series: ring.id, Labels: ring.labels, Times: times, Values: p.values[first:end:end]}) {
				return false
			}
		}
		return true
	})
}

// Shortfall is what Select cannot give for lack of memory.
type Shortfall struct {
	// Missing is how many selected series are not held at all, Shortened how many
	// are held less far back than they should be.
	Missing, Shortened int
}

// Shortfall is what is not held, of what Select would look at with that namespace
// and name.
func (r *Recent) Shortfall(namespace, name string) Shortfall {
	var s Shortfall
	r.index.each(namespace, name, func(l *list) bool {
		s.Missing += int(l.missing.Load())
		s.Shortened += int(l.shortened.Load())
		return true
	})
	return s
}
