// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// budget is the memory that the bodies of all requests may take together.
//
// Whoever asks for more than is left waits until others give back, and the
// waiting are served smallest first. So that a few nodes with endless answers
// cannot starve all others, the larger yields: where a request holds more than
// the asking one would hold, the largest such request is canceled. So is the
// largest of all when everyone who holds something waits for more.
//
// Invariant: 0 ≤ used ≤ total, and used is the sum of held over all shares.
type budget struct {
	total int64

	mu struct {
		sync.Mutex
		used    int64
		shares  map[*share]struct{} // with held > 0
		waiting []*share
	}
}

// share is one request's part of the budget. It is used by one goroutine.
type share struct {
	budget *budget
	// yield ends the request.
	yield func(cause error)

	// The rest is guarded by budget.mu.
	held, wanted int64
	yielding     bool
	granted      chan struct{}
}

func newBudget(total int64) *budget {
	b := &budget{total: total}
	b.mu.shares = map[*share]struct{}{}
	return b
}

// open is a new, empty share. yield must cancel the context that grow is called
// with, if it is under way, and make the request release the share soon.
func (b *budget) open(yield func(cause error)) *share {
	return &share{budget: b, yield: yield}
}

// inUse is how many bytes are taken.
func (b *budget) inUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.used
}

// tryGrow adds n bytes to the share if they are there and nobody waits.
func (s *share) tryGrow(n int64) bool {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.mu.waiting) > 0 || b.mu.used+n > b.total {
		return false
	}
	b.takeLocked(s, n)
	return true
}

// grow adds n bytes to the share. It waits for them as long as ctx allows and
// returns ctx's cause where that is not long enough.
func (s *share) grow(ctx context.Context, n int64) error {
	b := s.budget
	b.mu.Lock()
	if len(b.mu.waiting) == 0 && b.mu.used+n <= b.total {
		b.takeLocked(s, n)
		b.mu.Unlock()
		return nil
	}
	s.wanted, s.granted = n, make(chan struct{})
	b.mu.waiting = append(b.mu.waiting, s)
	yielding := b.makeRoomLocked(s)
	yielding = append(yielding, b.serveLocked()...)
	granted := s.granted
	b.mu.Unlock()
	cancelAll(yielding)

	select {
	case <-granted:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	if i := slices.Index(b.mu.waiting, s); i >= 0 {
		b.mu.waiting = slices.Delete(b.mu.waiting, i, i+1)
	}
	yielding = b.serveLocked()
	b.mu.Unlock()
	cancelAll(yielding)
	return context.Cause(ctx)
}

// shrink gives n of the share's bytes back.
func (s *share) shrink(n int64) {
	b := s.budget
	b.mu.Lock()
	b.giveLocked(s, n)
	yielding := b.serveLocked()
	b.mu.Unlock()
	cancelAll(yielding)
}

// close gives all of the share's bytes back. It may be called again.
func (s *share) close() {
	b := s.budget
	b.mu.Lock()
	b.giveLocked(s, s.held)
	yielding := b.serveLocked()
	b.mu.Unlock()
	cancelAll(yielding)
}

// cancelAll cancels requests, outside the lock.
func cancelAll(shares []*share) {
	for _, s := range shares {
		s.yield(errYield)
	}
}

func (b *budget) takeLocked(s *share, n int64) {
	s.held += n
	b.mu.used += n
	b.mu.shares[s] = struct{}{}
}

func (b *budget) giveLocked(s *share, n int64) {
	s.held -= n
	b.mu.used -= n
	if s.held == 0 {
		delete(b.mu.shares, s)
	}
}

// makeRoomLocked picks the shares that must yield so that asking can be served,
// largest first, as far as there are any that are larger than it.
func (b *budget) makeRoomLocked(asking *share) []*share {
	free := b.total - b.mu.used
	var larger []*share
	for s := range b.mu.shares {
		switch {
		case s.yielding:
			free += s.held
		case s != asking && s.held > asking.held+asking.wanted:
			larger = append(larger, s)
		}
	}
	slices.SortFunc(larger, func(a, b *share) int { return cmp.Compare(b.held, a.held) })
	for i, s := range larger {
		if free >= asking.wanted {
			return larger[:i]
		}
		s.yielding = true
		free += s.held
	}
	return larger
}

// serveLocked grants what is left to those who wait, smallest first. It returns
// the share that must yield because nothing would move otherwise.
func (b *budget) serveLocked() []*share {
	for len(b.mu.waiting) > 0 {
		next := slices.MinFunc(b.mu.waiting, func(a, b *share) int {
			return cmp.Compare(a.held+a.wanted, b.held+b.wanted)
		})
		if b.mu.used+next.wanted > b.total {
			return b.stuckLocked()
		}
		i := slices.Index(b.mu.waiting, next)
		b.mu.waiting = slices.Delete(b.mu.waiting, i, i+1)
		b.takeLocked(next, next.wanted)
		close(next.granted)
	}
	return nil
}

// stuckLocked is the largest share where all that hold something wait for more.
func (b *budget) stuckLocked() []*share {
	var largest *share
	for s := range b.mu.shares {
		if s.yielding || !slices.Contains(b.mu.waiting, s) {
			return nil
		}
		if largest == nil || s.held > largest.held {
			largest = s
		}
	}
	if largest == nil {
		return nil
	}
	largest.yielding = true
	return []*share{largest}
}
