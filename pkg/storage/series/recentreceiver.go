// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import "github.com/metrics-apiserver/metrics-apiserver/pkg/storage"

// recentReceiver takes in one source of a node.
type recentReceiver struct {
	recent *Recent
	source Source
	target Labels
	wanted *wanted
	answer *answer
	// slots is what handles stand for, less one; free is those of no use.
	slots []recentSlot
	free  []Handle
	// round counts the times that all handles were forgotten; left is the rings
	// that were open then, until the next answer.
	round uint64
	left  []*ring
	// merged is a series' labels with those of the target.
	merged Labels
}

// recentSlot is an open series.
type recentSlot struct {
	// ring is nil where there was no room for one, in list.
	ring *ring
	list *list
	// last is the time of the newest sample, by the node's clock.
	last storage.Millis
}

// Generation changes with what is selected.
func (c *recentReceiver) Generation() uint64 {
	if w := c.recent.wanted.Load(); w.generation != c.wanted.generation {
		c.wanted = w
		c.reopen()
	}
	return c.wanted.generation
}

// Wants says whether a series of that name may be selected.
func (c *recentReceiver) Wants(name string) bool { return c.wanted.wants(name, c.source) }

// reopen forgets all handles.
func (c *recentReceiver) reopen() {
	r := c.recent
	r.mu.Lock()
	defer r.mu.Unlock()
	dirty := map[*list]bool{}
	for i := range c.slots {
		slot := &c.slots[i]
		switch {
		case slot.ring != nil && !slot.ring.dropped:
			c.left = append(c.left, slot.ring)
		case slot.ring == nil && slot.list != nil:
			c.foundLocked(slot.list, dirty)
		}
	}
	if len(dirty) > 0 {
		r.sweepLocked(dirty)
	}
	c.slots, c.free = nil, nil
	c.round++
}

// foundLocked takes back that a series is missing.
func (c *recentReceiver) foundLocked(list *list, dirty map[*list]bool) {
	c.recent.mu.missing--
	if list.missing.Add(-1) == 0 {
		dirty[list] = true
	}
}

// Open gives a handle to a series that is selected.
func (c *recentReceiver) Open(labels Labels, _ *Metadata) Handle {
	if !c.wanted.wants(labels.Get(NameLabel), c.source) {
		return 0
	}
	c.merged = labels.AppendTarget(c.merged[:0], c.target)
	defer func() { clear(c.merged[:cap(c.merged)]) }() // The strings are not ours.
	keep, ok := c.wanted.keep(c.merged, c.source)
	if !ok {
		return 0
	}
	r := c.recent
	hash := c.merged.Hash(r.seed)
	r.mu.Lock()
	defer r.mu.Unlock()
	ring := r.mu.rings[hash]
	switch {
	case ring == nil:
		list := r.index.list(c.merged.Get("namespace"), c.merged.Get(NameLabel))
		if ring = r.addLocked(c.merged, hash, c.source, list); ring == nil {
			r.mu.missing++
			r.mu.refused = c.wanted.generation
			list.missing.Add(1)
			return c.handle(recentSlot{list: list})
		}
	case ring.labels.Compare(c.merged) != 0, ring.owner != nil && ring.owner != c, ring.owner == c && ring.round == c.round:
		// The same labels a second time, or a collision of hashes.
		r.stats.duplicate.Add(1)
		return 0
	}
	ring.owner, ring.round = c, c.round
	ring.keep.Store(int64(keep))
	return c.handle(recentSlot{ring: ring, list: ring.list})
}

// handle finds a place for a series.
func (c *recentReceiver) handle(slot recentSlot) Handle {
	if n := len(c.free); n > 0 {
		h := c.free[n-1]
		c.free = c.free[:n-1]
		c.slots[h-1] = slot
		return h
	}
	c.slots = append(c.slots, slot)
	return Handle(len(c.slots))
}

// Commit takes in what is new of an answer.
func (c *recentReceiver) Commit(b *Batch, gone []Handle) {
	r := c.recent
	for i, h := range b.Handles {
		slot := &c.slots[h-1]
		if slot.ring == nil || b.Times[i] == slot.last {
			continue
		}
		t := b.Times[i] + b.Offset
		if t > b.Received+maxAhead {
			r.stats.ahead.Add(1)
			continue
		}
		slot.last = b.Times[i]
		r.append(slot.ring, t, b.Values[i])
	}
	if len(gone) > 0 || len(c.left) > 0 {
		c.close(gone, b.Sent)
	}
	c.answer.offset.Store(int64(b.Offset))
	c.answer.at.Store(int64(b.Received))
	r.sweep(b.Received)
}

// close ends series, and those that were not opened again.
func (c *recentReceiver) close(gone []Handle, at storage.Millis) {
	r := c.recent
	r.mu.Lock()
	defer r.mu.Unlock()
	dirty := map[*list]bool{}
	for _, h := range gone {
		slot := &c.slots[h-1]
		if slot.ring != nil {
			r.endLocked(slot.ring, at)
		} else if slot.list != nil {
			c.foundLocked(slot.list, dirty)
		}
		*slot = recentSlot{}
		c.free = append(c.free, h)
	}
	for _, ring := range c.left {
		if ring.dropped || ring.owner != c || ring.round == c.round {
			continue
		}
		r.endLocked(ring, at)
		if _, ok := c.wanted.keep(ring.labels, c.source); !ok {
			r.dropLocked(ring) // It was opened before word came that it is not wanted.
			dirty[ring.list] = true
		}
	}
	c.left = nil
	if len(dirty) > 0 {
		r.sweepLocked(dirty)
	}
}

// Failed changes nothing: samples grow old by themselves.
func (c *recentReceiver) Failed(storage.Millis) {}

// End ends all series.
func (c *recentReceiver) End(at storage.Millis) {
	all := make([]Handle, 0, len(c.slots))
	for i := range c.slots {
		if c.slots[i].list != nil {
			all = append(all, Handle(i+1))
		}
	}
	c.close(all, at)
	c.recent.answers.end(c.answer)
	c.slots, c.free = nil, nil
}
