// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"sync"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/phase"
)

// firstRetry is when a failed scrape is tried again; after each further failure
// it takes twice as long, up to longestRetry.
func firstRetry(resolution time.Duration) time.Duration { return min(2*time.Second, resolution/4) }

// longestRetry is the distance of the attempts to a node that stays dead. A
// healed node must be wholly fresh two resolutions later, and its attempt may
// just have begun and still have to run into its timeout: five quarters leave
// room for that. A dead node costs one dial each time, so longer would save
// little.
func longestRetry(resolution time.Duration) time.Duration { return resolution * 5 / 4 }

// nextAttempt is when a node whose last scrape ended at ended is asked next,
// after so many failures in a row, in a cluster of so many nodes.
func nextAttempt(node string, ended time.Time, failures int, resolution time.Duration, nodes int) time.Time {
	if failures == 0 {
		return phase.Next(ended, phase.Of(node, resolution, nodes), resolution)
	}
	longest := longestRetry(resolution)
	delay := firstRetry(resolution)
	for i := 1; i < failures && delay < longest; i++ {
		delay *= 2
	}
	if delay < longest {
		return ended.Add(delay)
	}
	// Nodes that failed together, as behind one switch, spread again.
	return phase.Next(ended, phase.Alone(node, longest), longest)
}

// pacer spreads the first scrapes of many new targets, each of which costs a
// TLS handshake, without making a single new one wait.
type pacer struct {
	gap time.Duration

	mu struct {
		sync.Mutex
		next time.Time
	}
}

// reserve is when a new target may first be scraped: now or after those that
// came before, but not after latest, where it has a slot anyway.
func (p *pacer) reserve(now, latest time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := now
	if p.mu.next.After(at) {
		at = p.mu.next
	}
	if at.After(latest) {
		return latest
	}
	p.mu.next = at.Add(p.gap)
	return at
}
