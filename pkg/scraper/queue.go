// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"context"
	"math"
	"sync"
	"time"
)

const (
	// spareWorkers is how many workers wait for work at most: one that is done
	// and finds so many waiting ends.
	spareWorkers = 16

	// never is when a timer fires that nothing is to wake.
	never = time.Duration(math.MaxInt64)
)

// queue has the loops that wait, by when they are due, and hands those that are
// to the workers, which are goroutines that call next again and again.
//
// Workers without work all wait for one timer, that of the first loop, which
// wakes one of them. Whoever takes a loop sets it to the next, and starts another
// worker where nobody is left who waits: so what is due is taken at once however
// many nodes do not answer, and there are as many workers as there are answers
// waited for at one moment, a few to a hundred, in the worst case one a node and
// one more.
//
// Invariants, when mu is free: a loop is in the heap, in the hands of one worker,
// or gone; while workers run, one of them waits for the timer or is about to,
// and the timer is set to no later than when the first loop is due.
type queue struct {
	epoch time.Time
	timer *time.Timer

	mu struct {
		sync.Mutex
		waiting heap
		// set is what the timer is set to, since epoch; never, if it is not.
		set time.Duration
		// idle is how many workers wait.
		idle int
	}
}

// place is where a loop is in the queue. It is guarded by queue.mu.
type place struct {
	// index is that in the heap, or one of the two below.
	index int
	// hurried says that the loop, which is in a worker's hands, is due again at
	// once.
	hurried bool
}

const (
	held = -1 // in a worker's hands, or not in the queue yet
	gone = -2 // taken out for good
)

func newQueue(epoch time.Time) *queue {
	q := &queue{epoch: epoch, timer: time.NewTimer(never)}
	q.timer.Stop()
	q.mu.set = never
	return q
}

// add puts a new loop in.
func (q *queue) add(l *loop, at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.putLocked(l, at.Sub(q.epoch))
	q.setLocked()
}

// hurry makes a loop due now, or again at once where it is in a worker's hands.
func (q *queue) hurry(l *loop) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case l.place.index >= 0:
		q.mu.waiting.move(l.place.index, 0)
		q.setLocked()
	case l.place.index == held:
		l.place.hurried = true
	}
}

// back puts the loop back that a worker took.
func (q *queue) back(l *loop, at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	due := at.Sub(q.epoch)
	if l.place.hurried {
		due = 0
	}
	q.putLocked(l, due)
}

// drop takes the loop out for good that a worker took.
func (q *queue) drop(l *loop) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l.place.index = gone
}

// next waits until a loop is due and takes it. last says that no worker waits any
// more, so that another one must be started. There is none when ctx ends, or
// where enough workers wait without the caller, if it has worked.
func (q *queue) next(ctx context.Context, worked bool) (l *loop, last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for ctx.Err() == nil {
		if l = q.takeLocked(time.Since(q.epoch)); l != nil {
			q.setLocked()
			return l, q.mu.idle == 0
		}
		q.setLocked()
		if worked && q.mu.idle >= spareWorkers {
			return nil, false
		}
		q.waitLocked(ctx)
	}
	return nil, false
}

// waitLocked waits for the timer, or for the end, with mu free meanwhile.
func (q *queue) waitLocked(ctx context.Context) {
	q.mu.idle++
	q.mu.Unlock()
	fired := false
	select {
	case <-q.timer.C:
		fired = true
	case <-ctx.Done():
	}
	q.mu.Lock()
	q.mu.idle--
	if fired {
		// Another one may have set it since; then it is set to the same again.
		q.mu.set = never
	}
}

func (q *queue) putLocked(l *loop, at time.Duration) {
	l.place.hurried = false
	q.mu.waiting.push(l, at)
}

// takeLocked takes the first loop if it is due.
func (q *queue) takeLocked(now time.Duration) *loop {
	if len(q.mu.waiting) == 0 || q.mu.waiting[0].at > now {
		return nil
	}
	return q.mu.waiting.pop()
}

// setLocked sets the timer to the first loop.
func (q *queue) setLocked() {
	first := never
	if len(q.mu.waiting) > 0 {
		first = q.mu.waiting[0].at
	}
	if first == q.mu.set {
		return
	}
	q.mu.set = first
	if first == never {
		q.timer.Stop()
		return
	}
	q.timer.Reset(first - time.Since(q.epoch))
}

// heap is a binary heap: no waiter is due before the one at half its index.
// Each loop knows its index. It is not that of container/heap, which allocates for
// each element that is pushed.
type heap []waiter

// waiter is a loop in the heap. When it is due is here and not in the loop, which
// is far away in memory.
type waiter struct {
	at   time.Duration // since the queue's epoch
	loop *loop
}

func (h *heap) push(l *loop, at time.Duration) {
	*h = append(*h, waiter{at, l})
	h.up(len(*h) - 1)
}

func (h *heap) pop() *loop {
	first, last := (*h)[0].loop, len(*h)-1
	(*h)[0] = (*h)[last]
	(*h)[last] = waiter{}
	if *h = (*h)[:last]; last > 0 {
		h.down(0)
	}
	first.place.index = held
	return first
}

// move makes the waiter at i due at another moment.
func (h heap) move(i int, at time.Duration) {
	later := at > h[i].at
	h[i].at = at
	if later {
		h.down(i)
	} else {
		h.up(i)
	}
}

// up takes the waiter at i towards the front as far as it belongs.
func (h heap) up(i int) {
	w := h[i]
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].at <= w.at {
			break
		}
		h.put(i, h[parent])
		i = parent
	}
	h.put(i, w)
}

// down takes the waiter at i towards the back as far as it belongs.
func (h heap) down(i int) {
	w := h[i]
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if right := child + 1; right < len(h) && h[right].at < h[child].at {
			child = right
		}
		if w.at <= h[child].at {
			break
		}
		h.put(i, h[child])
		i = child
	}
	h.put(i, w)
}

func (h heap) put(i int, w waiter) {
	h[i] = w
	w.loop.place.index = i
}
