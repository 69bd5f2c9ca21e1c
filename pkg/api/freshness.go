// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/component-base/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// freshness is a histogram of the ages of what is served, to which whole answers
// are added. The library's own takes one age at a time, which was a tenth of what
// it took to list all pods.
type freshness struct {
	// Histogram is what it is registered and described as; nothing is observed
	// by it.
	*metrics.Histogram
	// bounds is the buckets' upper bounds, without the infinite one.
	bounds []storage.Millis

	mu struct {
		sync.Mutex
		all ages
	}
}

// maxBuckets is as many buckets as ages has room for, the infinite one included.
const maxBuckets = 24

// ages counts what was served by its age.
type ages struct {
	counts [maxBuckets]uint64
	sum    storage.Millis
}

// newFreshness is a histogram that is yet to be registered. Its buckets' bounds,
// in seconds, are the same in the whole milliseconds in which ages are known.
func newFreshness(o *metrics.HistogramOpts) *freshness {
	if len(o.Buckets) >= maxBuckets {
		panic("BUG: more buckets than there is room for")
	}
	f := &freshness{Histogram: metrics.NewHistogram(o)}
	for _, seconds := range o.Buckets {
		f.bounds = append(f.bounds, storage.Millis(seconds*1000))
	}
	return f
}

// count counts one more in a; nothing is in the histogram before add.
func (f *freshness) count(a *ages, age storage.Millis) {
	bucket := 0
	for bucket < len(f.bounds) && age > f.bounds[bucket] {
		bucket++
	}
	a.counts[bucket]++
	a.sum += age
}

func (f *freshness) add(a *ages) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.all.merge(a)
}

// merge adds what another has counted.
func (a *ages) merge(other *ages) {
	for i := range a.counts {
		a.counts[i] += other.counts[i]
	}
	a.sum += other.sum
}

// Collect is prometheus.Collector's.
func (f *freshness) Collect(into chan<- prometheus.Metric) {
	f.mu.Lock()
	all := f.mu.all
	f.mu.Unlock()
	description := make(chan *prometheus.Desc, 1)
	f.Describe(description)
	buckets := make(map[float64]uint64, len(f.bounds))
	count := uint64(0)
	for i, seconds := range f.Buckets {
		count += all.counts[i]
		buckets[seconds] = count
	}
	count += all.counts[len(f.Buckets)]
	into <- prometheus.MustNewConstHistogram(<-description, count, all.sum.Duration().Seconds(), buckets)
}
