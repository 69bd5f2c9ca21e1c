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
	series []*promql.StorageSeries
	next   int
	err    error
}

// add adds a series, and keeps neither times nor values, which are parallel.
func (s *seriesSet) add(l labels.Labels, times []storage.Millis, values []float64) {
	points := make([]promql.FPoint, len(times))
	for i := range points {
		points[i] = promql.FPoint{T: int64(times[i]), F: values[i]}
	}
	s.series = append(s.series, promql.NewStorageSeries(promql.Series{Metric: l, Floats: points}))
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
func (s *seriesSet) At() promstorage.Series { return s.series[s.next-1] }

// Err is promstorage.SeriesSet's.
func (s *seriesSet) Err() error { return s.err }

// Warnings is promstorage.SeriesSet's.
func (*seriesSet) Warnings() annotations.Annotations { return nil }
