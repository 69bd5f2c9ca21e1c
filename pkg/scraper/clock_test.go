// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// answerAt is an answer to a request sent at sent that took so long, by a node
// whose clock is behind ours by offset.
func answerAt(sent time.Time, took, offset time.Duration) *nodeclient.Answer {
	return &nodeclient.Answer{
		Sent: sent, Answered: sent.Add(took),
		Date: sent.Add(took / 2).Add(-offset).Truncate(time.Second),
	}
}

func TestOffset(t *testing.T) {
	const ms = time.Millisecond
	sent := time.UnixMilli(1_800_000_000_123)
	tests := map[string]struct {
		current storage.Millis
		offset  time.Duration
		took    time.Duration
		least   storage.Millis // of the next offset
		most    storage.Millis
	}{
		"none":                            {0, 0, 20 * ms, 0, 0},
		"within the tolerance":            {0, 1400 * ms, 20 * ms, 0, 0},
		"within the tolerance, ahead":     {0, -1400 * ms, 20 * ms, 0, 0},
		"beyond":                          {0, 3100 * ms, 20 * ms, 2600, 3600},
		"beyond, ahead":                   {0, -3100 * ms, 20 * ms, -3600, -2600},
		"an hour":                         {0, time.Hour, 20 * ms, 3_599_500, 3_600_500},
		"an hour ahead":                   {0, -time.Hour, 20 * ms, -3_600_500, -3_599_500},
		"kept while near":                 {3_600_000, time.Hour + 1200*ms, 20 * ms, 3_600_000, 3_600_000},
		"kept within the second's doubt":  {3_600_000, time.Hour - 900*ms, 20 * ms, 3_600_000, 3_600_000},
		"moved by a step":                 {3_600_000, time.Hour - 30*time.Second, 20 * ms, 3_569_500, 3_570_500},
		"healed":                          {3_600_000, 0, 20 * ms, 0, 0},
		"a slow answer tells less":        {0, 4 * time.Second, 9 * time.Second, 0, 0},
		"a slow answer still tells much":  {0, time.Minute, 9 * time.Second, 55_000, 65_000},
		"a slow answer confirms the held": {60_000, time.Minute, 9 * time.Second, 60_000, 60_000},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b, ok := offsetBounds(answerAt(sent, test.took, test.offset))
			if !ok {
				t.Fatal("no bounds")
			}
			if truth := storage.MillisIn(test.offset); truth < b.least || truth > b.most {
				t.Errorf("bounds %d to %d do not hold the truth, %d", b.least, b.most, truth)
			}
			if got := nextOffset(test.current, b); got < test.least || got > test.most {
				t.Errorf("got %d, want %d to %d", got, test.least, test.most)
			}
		})
	}
	if _, ok := offsetBounds(&nodeclient.Answer{Sent: sent, Answered: sent}); ok {
		t.Error("bounds without a Date")
	}
}

// TestOffsetDoesNotJitter: whatever part of its second a node's clock is at, the
// offset changes once at most.
func TestOffsetDoesNotJitter(t *testing.T) {
	for _, offset := range []time.Duration{1900 * time.Millisecond, 2100 * time.Millisecond, time.Hour, -37 * time.Second} {
		var current storage.Millis
		changes := 0
		for i := range 1000 {
			sent := time.UnixMilli(1_800_000_000_000 + int64(i)*15_037)
			b, _ := offsetBounds(answerAt(sent, 30*time.Millisecond, offset))
			if next := nextOffset(current, b); next != current {
				current = next
				changes++
			}
		}
		if changes > 1 {
			t.Errorf("offset %v: changed %d times", offset, changes)
		}
	}
}
