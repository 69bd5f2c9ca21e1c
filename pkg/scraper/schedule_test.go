// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"testing"
	"time"
)

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
