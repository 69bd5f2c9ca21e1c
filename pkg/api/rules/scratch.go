// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"sync"

	"github.com/prometheus/prometheus/promql"
)

// scratch is memory that an evaluation needs while it runs, and that the next one
// can use again: two thirds of what one allocated was that. See BenchmarkEvaluate.
//
// The engine holds points and series until its query is closed, and nothing of them
// is in a result, so who has a scratch gives it back after that.
type scratch struct {
	// room is for points, and series for the series of each selector.
	room   []promql.FPoint
	series [][]promql.StorageSeries
	known  []knownPod
	place  map[podName]int
	used   attribution
}

// Bounds of what is kept for the next evaluation: a common one needs a tenth, and one
// that needs more must not leave it lying about.
const (
	maxRoom   = 16_384
	maxSeries = 4096
)

// scratches is a pool of scratch.
type scratches struct{ pool sync.Pool }

func (s *scratches) get() *scratch {
	if one, ok := s.pool.Get().(*scratch); ok {
		return one
	}
	return &scratch{place: map[podName]int{}}
}

// put takes a scratch back, without what it points to.
func (s *scratches) put(one *scratch) {
	if cap(one.room) > maxRoom || len(one.known) > maxSeries || len(one.used.inputs) > maxSeries {
		return
	}
	one.room = one.room[:0]
	for i, series := range one.series {
		if len(series) > maxSeries {
			return
		}
		clear(series)
		one.series[i] = series[:0]
	}
	clear(one.known)
	one.known = one.known[:0]
	clear(one.place)
	one.used.reset()
	s.pool.Put(one)
}
