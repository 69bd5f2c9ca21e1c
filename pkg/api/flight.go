// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"sync"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
)

// flights lets lists that come while another is being joined wait for that, and
// then share one join: it begins after all of them have come, so each gets what it
// would have got alone. Ten lists at once are then two joins, and two snapshots in
// memory. A list that comes alone is joined at once. The zero flights is ready.
type flights struct {
	mu struct {
		sync.Mutex
		// boarding is the flight that lists may still board; nil is none. Whoever
		// makes it flies it.
		boarding *flight
		// last is the newest flight that has not landed; nil is none.
		last *flight
	}
}

// flight is one join for one list or more.
type flight struct {
	riders int
	landed chan struct{}
	// parts is nil, once it has landed, where the join panicked.
	parts *podList
}

// take is what join gives, for this list alone or together with others. It must
// not be written.
func (f *flights) take(join func() *podList) *podList {
	f.mu.Lock()
	mine := f.mu.boarding
	if mine == nil {
		mine = &flight{landed: make(chan struct{})}
		before := f.mu.last
		f.mu.boarding, f.mu.last = mine, mine
		mine.riders++
		f.mu.Unlock()
		f.fly(mine, before, join)
		return mine.parts
	}
	mine.riders++
	f.mu.Unlock()
	<-mine.landed
	if mine.parts == nil {
		return join() // and panic here, too, if it is not only theirs
	}
	return mine.parts
}

// fly waits for the flight before, if there is one, and makes mine.
func (f *flights) fly(mine, before *flight, join func() *podList) {
	if before != nil {
		<-before.landed
	}
	f.mu.Lock()
	f.mu.boarding = nil
	riders := mine.riders
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.mu.last == mine {
			f.mu.last = nil // lest it holds the parts until the next
		}
		close(mine.landed)
	}()

	parts := join()
	if riders > 1 {
		parts.shared = new(wire.Shared)
	}
	mine.parts = parts
}
