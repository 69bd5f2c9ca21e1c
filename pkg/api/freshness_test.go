// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"math"
	"math/rand/v2"
	"testing"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/testutil"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestFreshnessEqualsLibrary holds the histogram against the library's, by what a scrape of
// both gives.
func TestFreshnessEqualsLibrary(t *testing.T) {
	opts := func() *metrics.HistogramOpts {
		return &metrics.HistogramOpts{Name: "age_seconds", Help: "Ages.", Buckets: metrics.ExponentialBuckets(1, 1.364, 20)}
	}
	ours, library := newFreshness(opts()), metrics.NewHistogram(opts())
	got, want := metrics.NewKubeRegistry(), metrics.NewKubeRegistry()
	got.MustRegister(ours)
	want.MustRegister(library)
	compare := func() {
		t.Helper()
		gathered, err := got.Gather()
		if err != nil {
			t.Fatal(err)
		}
		wanted, err := want.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, families := range [][]*testutil.MetricFamily{gathered, wanted} {
			for _, f := range families {
				h := f.GetMetric()[0].GetHistogram()
				h.CreatedTimestamp = nil
				// The library adds up what is not exact.
				h.SampleSum = new(math.Round(h.GetSampleSum() * 1000))
			}
		}
		if g, w := gathered[0].String(), wanted[0].String(); g != w {
			t.Errorf("got\n%s\nwant\n%s", g, w)
		}
	}
	compare()
	random := rand.New(rand.NewPCG(1, 1))
	exact := []storage.Millis{0, 1, 999, 1000, 1001, 1_000_000}
	for _, bound := range opts().Buckets {
		exact = append(exact, storage.Millis(math.Floor(bound*1000)), storage.Millis(math.Ceil(bound*1000)))
	}
	for range 20 {
		var some ages
		for range random.IntN(100) {
			age := storage.Millis(random.IntN(100_000))
			if random.IntN(2) == 0 {
				age = exact[random.IntN(len(exact))]
			}
			ours.count(&some, age)
			library.Observe(age.Duration().Seconds())
		}
		ours.add(&some)
		compare()
	}
}
