// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package phase

import (
	"fmt"
	"testing"
	"time"
)

func TestAlone(t *testing.T) {
	// The values are part of the contract: two versions of this program that
	// run side by side ask at the same moments.
	for name, want := range map[string]time.Duration{
		"":       1927672947,
		"node-1": 540673694,
	} {
		if got := Alone(name, 15*time.Second); got != want {
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
			at := Of(name, period, nodes)
			groups[at]++
			if early := Alone(name, period) - at; early < 0 || early >= period/minGroups || nodes >= 1000 && early >= period/64 {
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

func TestSpreadEvenly(t *testing.T) {
	const nodes, buckets = 3000, 30
	for _, format := range []string{"node-%d", "ip-10-0-%d.ec2.internal", "gke-pool-1-8d7f-%04d"} {
		for _, period := range []time.Duration{15 * time.Second, time.Minute, 75 * time.Second / 4} {
			var count [buckets]int
			for i := range nodes {
				count[Alone(fmt.Sprintf(format, i), period)*buckets/period]++
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

func TestNext(t *testing.T) {
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
		got := Next(at(test.after), time.Duration(test.phase*1e9), time.Duration(test.period*1e9))
		if !got.Equal(at(test.want)) {
			t.Errorf("after %v with phase %v of %v: got %v, want %v", test.after, test.phase, test.period, got.UnixMilli(), test.want)
		}
	}
}
