// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"hash/fnv"
	"math/bits"
	"sync"
	"time"
)

// together is how many nodes are asked at one moment, at most, give or take what
// chance makes of it. Asked one by one, most of what a scrape costs is waking up:
// the threads of Go's scheduler, and all that has left the processor's caches
// since the last one. Asked together, nodes share that, and each further one of
// the group takes half of the first one's CPU time; and so few are still done in
// some milliseconds. See record 41 of DECISIONS.md.
const together = 16

// minGroups keeps the moments of small clusters close to each other. Where there
// are fewer than together nodes, each has its own.
const minGroups = 16

// phase is the part of the period at which a node is scraped, in a cluster of so
// many nodes. It follows from these alone: nodes are spread evenly over groups of
// a few, a restart changes nothing, and two replicas ask a node at the same
// moments, so that their answers agree. When the number of nodes doubles, a phase
// moves by less than the distance of two groups.
func phase(node string, period time.Duration, nodes int) time.Duration {
	alone := spread(node, period)
	if nodes < together {
		return alone
	}
	groups := max(minGroups, 1<<bits.Len(uint(nodes/together)))
	return alone - alone%max(1, period/time.Duration(groups))
}

// spread is a part of the period that follows from the node's name alone, evenly
// spread.
func spread(node string, period time.Duration) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(node))
	// FNV's high bits depend little on a name's last letters, and its low bits
	// alone would tie all periods together; a multiplication mixes them.
	sum := h.Sum64()
	sum ^= sum >> 32
	sum *= 0x9e3779b97f4a7c15
	sum ^= sum >> 29
	return time.Duration(sum % uint64(period))
}

// nextSlot is the first moment after t whose distance from the Unix epoch is
// phase more than a multiple of period. It has t's monotonic clock reading.
func nextSlot(t time.Time, phase, period time.Duration) time.Time {
	past := (t.UnixNano() - int64(phase)) % int64(period)
	if past < 0 {
		past += int64(period)
	}
	return t.Add(period - time.Duration(past))
}

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
		return nextSlot(ended, phase(node, resolution, nodes), resolution)
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
	return nextSlot(ended, spread(node, longest), longest)
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
