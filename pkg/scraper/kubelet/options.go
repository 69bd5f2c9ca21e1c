// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"fmt"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
)

// Options are the bounds on what a Decoder takes from one answer. They limit
// what a node can make us hold and do; the size of a body is bounded by who
// reads it.
type Options struct {
	// MaxSeries is the largest number of lines of an answer that are neither
	// blank nor comments, of whatever family, well formed or not. An answer
	// with more is refused with ErrTooManySeries. 0 is 100,000.
	MaxSeries int
	// MaxContainers is the largest number of containers in an answer, in
	// /stats/summary also the largest number of pods. An answer with more is
	// refused with ErrTooManyContainers. 0 is 10,000.
	MaxContainers int
	// MaxLineBytes is the longest line, in bytes; a longer one is refused,
	// counted as RefusedTooLong. 0 is 64 KiB, which is also the most.
	MaxLineBytes int
	// MaxLabels is the largest number of labels of one series; a series with
	// more is refused, counted as RefusedTooLong. 0 is 64.
	MaxLabels int
	// MaxLabelBytes is the longest name or value of a label, in bytes, as it stands in
	// the text, where answers are read as labelled series; a series with a longer one
	// is refused, counted as RefusedTooLong. 0 is 4096.
	MaxLabelBytes int
	// MaxNameBytes is the longest name of a namespace, pod or container, in
	// bytes; a series with a longer one is refused, counted as RefusedTooLong.
	// 0 is 253, the most that Kubernetes allows.
	MaxNameBytes int

	// Scratch is memory that the decoder shares with others; nil is none.
	Scratch *Scratch
}

// withDefaults is o with its zeros replaced by the defaults.
func (o Options) withDefaults() Options {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&o.MaxSeries, 100_000)
	set(&o.MaxContainers, 10_000)
	set(&o.MaxLineBytes, exposition.MaxLineBytes)
	set(&o.MaxLabels, 64)
	set(&o.MaxLabelBytes, 4096)
	set(&o.MaxNameBytes, 253)
	return o
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	for _, bound := range []struct {
		name  string
		value int
	}{
		{"MaxSeries", o.MaxSeries},
		{"MaxContainers", o.MaxContainers},
		{"MaxLineBytes", o.MaxLineBytes},
		{"MaxLabels", o.MaxLabels},
		{"MaxLabelBytes", o.MaxLabelBytes},
		{"MaxNameBytes", o.MaxNameBytes},
	} {
		if bound.value < 0 {
			return fmt.Errorf("validate kubelet decoder options: %s is %d, want 0 or more", bound.name, bound.value)
		}
	}
	if o.MaxLineBytes > exposition.MaxLineBytes {
		return fmt.Errorf("validate kubelet decoder options: MaxLineBytes is %d, want at most %d", o.MaxLineBytes, exposition.MaxLineBytes)
	}
	return nil
}
