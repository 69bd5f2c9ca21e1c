// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package freshness

import (
	"testing"
	"time"
)

// TestAges holds the mean against what renewal theory says for one container: a
// moment falls into intervals in proportion to their length, so the newest
// sample is E[X²]/2E[X] old, and the scrape and the truncation add half of
// theirs.
func TestAges(t *testing.T) {
	ages := Options{Resolution: 15 * time.Second, Containers: 1}.Ages()
	var sum time.Duration
	for _, age := range ages {
		sum += age
	}
	// E[X²] of 10 to 20 s is 233.3 s²; 233.3/30 + 7.5 + 0.5.
	want := 15780 * time.Millisecond
	if got := sum / time.Duration(len(ages)); (got - want).Abs() > 100*time.Millisecond {
		t.Errorf("the mean is %v, want %v", got, want)
	}
	if longest := ages[len(ages)-1]; longest > 36*time.Second {
		t.Errorf("the oldest is %v", longest)
	}
}
