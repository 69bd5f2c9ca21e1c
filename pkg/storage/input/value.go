// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package input

import "github.com/metrics-apiserver/metrics-apiserver/pkg/storage"

// Value is what is served of one input. It is finite and not negative.
type Value struct {
	// Time, by our clock, is that of the oldest reading in Value. Window is the
	// time over which that reading's rate was taken; a gauge has none.
	Time, Window storage.Millis
	// Value is in the input's base unit, per second where it is a counter.
	Value float64
}
