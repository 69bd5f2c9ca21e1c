// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import "github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"

// seriesSummary is what of a summary is needed to name its series.
type seriesSummary struct{}

func (s *seriesSummary) release() {}

func (r *seriesReading) readSummary() error { return ErrNoMetrics }

func (r *seriesReading) describeSummary(*pendingSeries) series.Metadata { return series.Metadata{} }
