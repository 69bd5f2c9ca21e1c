// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package phase

import (
	"hash/fnv"
	"math/bits"
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

// Of is the part of the period, of at least a nanosecond, at which a node is
// scraped, in a cluster of so many nodes. It follows from these alone: nodes are
// spread evenly over groups of a few, a restart changes nothing, and two replicas
// ask a node at the same moments, so that their answers agree. When the number of
// nodes doubles, a phase moves by less than the distance of two groups.
func Of(node string, period time.Duration, nodes int) time.Duration {
	alone := Alone(node, period)
	if nodes < together {
		return alone
	}
	groups := max(minGroups, 1<<bits.Len(uint(nodes/together)))
	return alone - alone%max(1, period/time.Duration(groups))
}

// Alone is a part of the period, of at least a nanosecond, that follows from the
// node's name alone, evenly spread.
func Alone(node string, period time.Duration) time.Duration {
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

// Next is the first moment after t whose distance from the Unix epoch is phase
// more than a multiple of period. It has t's monotonic clock reading.
func Next(t time.Time, phase, period time.Duration) time.Time {
	past := (t.UnixNano() - int64(phase)) % int64(period)
	if past < 0 {
		past += int64(period)
	}
	return t.Add(period - time.Duration(past))
}
