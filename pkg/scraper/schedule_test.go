// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"fmt"
	"testing"
	"time"
)

func TestPhase(t *testing.T) {
	// The values are part of the contract: two versions of this program that
	// run side by side ask at the same moments.
	for name, want := range map[string]time.Duration{
		"":       phase("", 15*time.Second),
		"node-1": phase("node-1", 15*time.Second),
	} {
		if got := phase(name, 15*time.Second); got != want || got < 0 || got >= 15*time.Second {
			t.Errorf("phase of %q: got %v, want %v, and always the same within the period", name, got, want)
		}
	}
}

func TestPhasesAreSpreadEvenly(t *testing.T) {
	const nodes, buckets = 3000, 30
	for _, format := range []string{"node-%d", "ip-10-0-%d.ec2.internal", "gke-pool-1-8d7f-%04d"} {
		for _, period := range []time.Duration{15 * time.Second, time.Minute, 75 * time.Second / 4} {
			var count [buckets]int
			for i := range nodes {
				count[phase(fmt.Sprintf(format, i), period)*buckets/period]++
			}
			for b, n := range count {
				// The expectation is 100 with a deviation of 10.
				if n < 50 || n > 150 {
					t.Errorf("%s, %v: bucket %d has %d nodes", format, period, b, n)
				}
			}
		}
	}
}

func TestNextSlot(t *testing.T) {
	at := func(s float64) time.Time { return time.UnixMilli(int64(s * 1000)) }
	for _, test := range []struct{ after, phase, period, want float64 }{
		{0, 0, 15, 15},
		{0, 4, 15, 4},
		{3.999, 4, 15, 4},
		{4, 4, 15, 19},
		{4.001, 4, 15, 19},
		{1_800_000_000, 4, 15, 1_800_000_004},
		{-20, 4, 15, -11},
	} {
		got := nextSlot(at(test.after), time.Duration(test.phase*1e9), time.Duration(test.period*1e9))
		if !got.Equal(at(test.want)) {
			t.Errorf("after %v with phase %v of %v: got %v, want %v", test.after, test.phase, test.period, got.UnixMilli(), test.want)
		}
	}
}

func TestRetriesOfADeadNode(t *testing.T) {
	const resolution = 15 * time.Second
	now := time.Unix(1_800_000_000, 0)
	for failures, want := range map[int]time.Duration{1: 2 * time.Second, 2: 4 * time.Second, 3: 8 * time.Second, 4: 16 * time.Second} {
		if got := nextAttempt("node-1", now, failures, resolution).Sub(now); got != want {
			t.Errorf("after %d failures: got %v, want %v", failures, got, want)
		}
	}
	for failures := 5; failures < 200; failures++ {
		if got := nextAttempt("node-1", now, failures, resolution).Sub(now); got <= 0 || got > longestRetry(resolution) {
			t.Fatalf("after %d failures: %v", failures, got)
		}
	}
	// Healed just after an attempt began that runs into its timeout, the node
	// is asked again, and fresh, within two resolutions.
	if worst := longestRetry(resolution) + 10*time.Second; worst >= 2*resolution {
		t.Errorf("a healed node may have to wait %v", worst)
	}
}

func TestPacer(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	late := now.Add(15 * time.Second)
	p := pacer{gap: 10 * time.Millisecond}
	for i := range 5 {
		if got, want := p.reserve(now, late).Sub(now), time.Duration(i)*10*time.Millisecond; got != want {
			t.Errorf("target %d: got %v, want %v", i, got, want)
		}
	}
	if got := p.reserve(now, now.Add(time.Millisecond)).Sub(now); got != time.Millisecond {
		t.Errorf("a target whose slot comes sooner: got %v", got)
	}
	if got := p.reserve(now.Add(time.Minute), late.Add(time.Minute)).Sub(now); got != time.Minute {
		t.Errorf("a single new target: got %v, want at once", got)
	}
}
