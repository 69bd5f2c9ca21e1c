// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// A role is what the set is among replicas.
type role uint8

const (
	// leads: it ships.
	leads role = iota
	// holds: it is not known whether another replica ships.
	holds
	// pauses: another replica does.
	pauses
)

// Lead has all sinks ship from now on. mark is what the replica before us said
// last; fence is when that one has stopped at the latest, zero where it said itself
// that it has ended; lease is how long it may have been silent before that.
func (s *Set) Lead(mark string, fence time.Time, lease time.Duration) {
	h := readHandover(mark, s.o.Resolution)
	if !fence.IsZero() {
		h.fence = storage.MillisOf(fence)
	}
	h.lease = lease
	s.become(leads, h)
}

// Hold has all sinks keep what comes: it is not known who ships.
func (s *Set) Hold() { s.become(holds, nil) }

// Pause has all sinks keep the last minute: another replica ships.
func (s *Set) Pause() { s.become(pauses, nil) }

func (s *Set) become(r role, before *handover) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.role, s.mu.before = r, before
	for _, m := range s.mu.members {
		s.tellLocked(m)
	}
}
