// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/rules"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// ruleResults gives what rules are, once a resolution, to the sinks that want it, as
// series with the rules' names. All replicas do so at the same moments. It is no
// part of a scrape: it reads what scrapes have left.
type ruleResults struct {
	// each is rules.Provider's.
	each   func(context.Context, func(rules.Sample)) (evaluated, failed int)
	wanted func() bool
	every  time.Duration
	feeds  []*ruleFeed
	seed   maphash.Seed
	// failed is how many evaluations failed the last time.
	failed int
}

// ruleFeed is what one sink was told.
type ruleFeed struct {
	receiver   series.Receiver
	generation uint64
	// open is the handles of the series that are open, by a hash of their labels.
	open map[uint64]series.Handle
}

func newRuleResults(provider *rules.Provider, ship *shipping, every time.Duration) *ruleResults {
	r := &ruleResults{each: provider.Each, wanted: ship.set.WantsRules, every: every, seed: maphash.MakeSeed()}
	for _, receiver := range ship.set.RuleReceivers() {
		r.feeds = append(r.feeds, &ruleFeed{receiver: receiver, open: map[uint64]series.Handle{}})
	}
	return r
}

// Run evaluates until ctx ends.
func (r *ruleResults) Run(ctx context.Context) error {
	for {
		now := time.Now()
		at := now.Truncate(r.every).Add(r.every)
		timer := time.NewTimer(at.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if r.wanted() {
			r.evaluate(ctx, storage.MillisOf(at))
		}
	}
}

// evaluate hands over what all rules are at a time.
func (r *ruleResults) evaluate(ctx context.Context, at storage.Millis) {
	var all []series.Labels
	var values []float64
	var keys []uint64
	there := map[uint64]bool{}
	evaluated, failed := r.each(ctx, func(s rules.Sample) {
		one := labelsOfResult(s)
		key := one.Hash(r.seed)
		if there[key] {
			return // Two rules say the same series; one of them is enough.
		}
		there[key] = true
		all, values, keys = append(all, one), append(values, s.Value), append(keys, key)
	})
	if ctx.Err() != nil {
		return
	}
	if (failed == 0) != (r.failed == 0) {
		klog.FromContext(ctx).Info("Rules whose results are shipped could not be evaluated", "failed", failed, "evaluations", evaluated)
	}
	r.failed = failed
	for _, f := range r.feeds {
		f.take(at, all, values, keys, there)
	}
}

// take hands one moment's results to a sink. Series that are not among them are
// gone.
func (f *ruleFeed) take(at storage.Millis, all []series.Labels, values []float64, keys []uint64, there map[uint64]bool) {
	if chooser, ok := f.receiver.(series.Chooser); ok {
		if g := chooser.Generation(); g != f.generation {
			f.generation = g
			clear(f.open)
		}
	}
	batch := series.Batch{Source: series.Rules, Sent: at, Received: storage.MillisOf(time.Now())}
	for i, one := range all {
		h, ok := f.open[keys[i]]
		if !ok {
			h = f.receiver.Open(one, &series.Metadata{Family: one.Get(series.NameLabel), Type: series.Gauge, Help: "Result of a rule."})
			f.open[keys[i]] = h
		}
		if h != 0 {
			batch.Handles, batch.Times, batch.Values = append(batch.Handles, h), append(batch.Times, at), append(batch.Values, values[i])
		}
	}
	var gone []series.Handle
	for key, h := range f.open {
		if there[key] {
			continue
		}
		delete(f.open, key)
		if h != 0 {
			gone = append(gone, h)
		}
	}
	f.receiver.Commit(&batch, gone)
}

// labelsOfResult are a result's labels as a series', sorted.
func labelsOfResult(s rules.Sample) series.Labels {
	out := series.Labels{{Name: series.NameLabel, Value: s.Rule}}
	s.Labels.Range(func(l labels.Label) {
		if l.Value != "" {
			out = append(out, series.Label{Name: l.Name, Value: l.Value})
		}
	})
	slices.SortFunc(out, func(a, b series.Label) int { return strings.Compare(a.Name, b.Name) })
	return out
}
