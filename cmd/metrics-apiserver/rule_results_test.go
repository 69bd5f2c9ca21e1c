// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/rules"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// taker is a receiver that takes down what it is told.
type taker struct {
	generation uint64
	names      []string
	told       []string
}

func (k *taker) Generation() uint64 { return k.generation }
func (k *taker) Wants(string) bool  { return true }

func (k *taker) Open(l series.Labels, _ *series.Metadata) series.Handle {
	k.names = append(k.names, fmt.Sprint(l))
	return series.Handle(len(k.names))
}

func (k *taker) Commit(b *series.Batch, gone []series.Handle) {
	for i, h := range b.Handles {
		k.told = append(k.told, fmt.Sprint(k.names[h-1], " ", b.Values[i], " ", int64(b.Times[i]-b.Sent)))
	}
	for _, h := range gone {
		k.told = append(k.told, fmt.Sprint(k.names[h-1], " gone"))
	}
	slices.Sort(k.told)
}

func (k *taker) Failed(storage.Millis) {}
func (k *taker) End(storage.Millis)    {}

// TestRuleResults tells sinks what came and went.
func TestRuleResults(t *testing.T) {
	k := &taker{generation: 1}
	var now []rules.Sample
	r := &ruleResults{
		each: func(_ context.Context, yield func(rules.Sample)) (int, int) {
			for _, s := range now {
				yield(s)
			}
			return len(now), 0
		},
		seed:  maphash.MakeSeed(),
		feeds: []*ruleFeed{{receiver: k, open: map[uint64]series.Handle{}}},
	}
	one := rules.Sample{Rule: "a", Labels: labels.FromStrings("pod", "p", "empty", ""), Value: 1}
	two := rules.Sample{Rule: "b", Labels: labels.FromStrings("Zone", "z"), Value: -2}
	step := func(want ...string) {
		t.Helper()
		r.evaluate(t.Context(), 5)
		if !slices.Equal(k.told, want) {
			t.Errorf("told %q, want %q", k.told, want)
		}
		k.told = nil
	}
	now = []rules.Sample{one, two, one}
	step("[{Zone z} {__name__ b}] -2 0", "[{__name__ a} {pod p}] 1 0")
	now = []rules.Sample{one}
	step("[{Zone z} {__name__ b}] gone", "[{__name__ a} {pod p}] 1 0")
	k.generation++
	step("[{__name__ a} {pod p}] 1 0")
	if len(k.names) != 3 {
		t.Errorf("opened %q", k.names)
	}
}

// TestRuleResultsRun evaluates once a resolution, at moments that are the same for
// all replicas, while a sink wants it.
func TestRuleResultsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := make(chan time.Time, 10)
		asked := 0
		r := &ruleResults{
			each: func(context.Context, func(rules.Sample)) (int, int) {
				at <- time.Now()
				return 1, 1
			},
			wanted: func() bool { asked++; return asked > 2 }, every: 15 * time.Second,
		}
		time.Sleep(4 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 70*time.Second)
		defer cancel()
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
		close(at)
		n := 0
		for moment := range at {
			n++
			if !moment.Equal(moment.Truncate(15 * time.Second)) {
				t.Errorf("evaluated at %v", moment)
			}
		}
		if n != 2 || asked != 4 {
			t.Errorf("%d times, asked %d times", n, asked)
		}
	})
}
