// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import "math/rand/v2"

// The refresh intervals of cAdvisor, in milliseconds: its housekeeping runs
// every 10 s, every 15 s for a container that did nothing, and adds up to as
// much again at random.
const (
	busyInterval = 10_000
	idleInterval = 15_000
)

// sampler is cAdvisor's view of one cgroup: its newest sample, and when it is
// due for the next. Times are Unix milliseconds.
type sampler struct {
	rate    uint64 // nanocores on average; 0 is idle
	memory  uint64 // bytes on average
	started int64

	next    int64  // when the next sample is taken
	at      int64  // when the newest was; 0 is: there is none
	cpu     uint64 // nanoseconds, of the newest
	mem     uint64 // bytes, of the newest
	current uint64 // the rate between the newest two; 0 is unknown
	random  rand.PCG
}

// newSampler is the sampler of what started at some time, with the samples that
// it has taken by now.
func newSampler(seed, rate, memory uint64, started, now int64) *sampler {
	s := &sampler{rate: rate, memory: memory, mem: memory, started: started}
	// Even what does nothing has started once.
	s.cpu = 10_000_000 + seed%40_000_000
	s.random.Seed(seed, uint64(started))
	// The first sample comes when the runtime has told of the container. What
	// has run for long is in the middle of its life.
	s.next = started + 200 + s.draw(1000)
	if settled := now - 4*idleInterval; s.next < settled {
		s.next = settled + s.draw(idleInterval)
	}
	s.advance(now)
	return s
}

// draw is a random number below n.
func (s *sampler) draw(n int64) int64 { return int64(s.random.Uint64() % uint64(n)) }

// advance takes the samples that are due by now, and says whether there were.
func (s *sampler) advance(now int64) bool {
	if s.next > now {
		return false
	}
	for s.next <= now {
		s.sample()
	}
	return true
}

func (s *sampler) sample() {
	at := s.next
	interval := int64(idleInterval)
	if s.rate > 0 {
		interval = busyInterval
		// Use goes up and down by a fifth.
		rate := s.rate*4/5 + s.rate*uint64(s.draw(401))/1000
		before := s.at
		if before == 0 {
			before = s.started
		}
		s.cpu += uint64(at-before) * rate / 1000
		s.mem = (s.memory - s.memory/64 + s.memory/32*uint64(s.draw(1000))/1000) &^ 4095
		if s.at != 0 {
			s.current = rate
		}
	}
	s.at = at
	s.next = at + interval + s.draw(interval)
}
