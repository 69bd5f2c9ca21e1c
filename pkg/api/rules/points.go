// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	promstorage "github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// seriesSet is a promstorage.SeriesSet.
type seriesSet struct {
	series []promql.StorageSeries
	next   int
	err    error
}

// roomFor is for how many points there is room at once, 32 KiB.
const roomFor = 2048

// pointsOf is samples as the engine has them, in room.
func (s *scratch) pointsOf(times []storage.Millis, values []float64) []promql.FPoint {
	if len(times) > cap(s.room)-len(s.room) {
		s.room = make([]promql.FPoint, 0, max(roomFor, 2*cap(s.room), len(times)))
	}
	first := len(s.room)
	for i := range times {
		s.room = append(s.room, promql.FPoint{T: int64(times[i]), F: values[i]})
	}
	return s.room[first:len(s.room):len(s.room)]
}

// add adds a series.
func (s *seriesSet) add(l labels.Labels, points []promql.FPoint) {
	s.series = append(s.series, *promql.NewStorageSeries(promql.Series{Metric: l, Floats: points}))
}

// Next is promstorage.SeriesSet's.
func (s *seriesSet) Next() bool {
	if s.err != nil {
		return false
	}
	s.next++
	return s.next <= len(s.series)
}

// At is promstorage.SeriesSet's.
func (s *seriesSet) At() promstorage.Series { return &s.series[s.next-1] }

// Err is promstorage.SeriesSet's.
func (s *seriesSet) Err() error { return s.err }

// Warnings is promstorage.SeriesSet's.
func (*seriesSet) Warnings() annotations.Annotations { return nil }
