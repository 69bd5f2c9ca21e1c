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
		"":       1927672947,
		"node-1": 540673694,
	} {
		if got := spread(name, 15*time.Second); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

// TestGroups: nodes that are asked together are a few, however many there are, and
// as many at each moment; and nobody is asked long before its own moment.
func TestGroups(t *testing.T) {
	const period = 15 * time.Second
	for _, nodes := range []int{1, 16, 100, 1000, 1023, 1024, 5000, 20_000, 100_000} {
		groups := map[time.Duration]int{}
		for i := range nodes {
			name := fmt.Sprint("node-", i)
			at := phase(name, period, nodes)
			groups[at]++
			if early := spread(name, period) - at; early < 0 || early >= period/minGroups || nodes >= 1000 && early >= period/64 {
				t.Errorf("%d nodes: %s is asked %v early", nodes, name, early)
			}
		}
		most := 0
		for _, n := range groups {
			most = max(most, n)
		}
		if mean := nodes / len(groups); mean > together || nodes >= 1000 && mean < together/2-1 || most > 3*together {
			t.Errorf("%d nodes: %d groups of up to %d", nodes, len(groups), most)
		}
	}
}

func TestPhasesAreSpreadEvenly(t *testing.T) {
	const nodes, buckets = 3000, 30
	for _, format := range []string{"node-%d", "ip-10-0-%d.ec2.internal", "gke-pool-1-8d7f-%04d"} {
		for _, period := range []time.Duration{15 * time.Second, time.Minute, 75 * time.Second / 4} {
			var count [buckets]int
			for i := range nodes {
				count[spread(fmt.Sprintf(format, i), period)*buckets/period]++
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
		if got := nextAttempt("node-1", now, failures, resolution, 1).Sub(now); got != want {
			t.Errorf("after %d failures: got %v, want %v", failures, got, want)
		}
	}
	for failures := 5; failures < 200; failures++ {
		if got := nextAttempt("node-1", now, failures, resolution, 1).Sub(now); got <= 0 || got > longestRetry(resolution) {
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
