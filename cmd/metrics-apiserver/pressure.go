// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"k8s.io/klog/v2"
)

// sheddable is memory that can be done without: a history.Store.
type sheddable interface {
	// Bytes is what it takes beside Go's heap, Pending what it is about to take there
	// at once, Room what it may take.
	Bytes() int64
	Pending() int64
	Room() int64
	Shed() (released int64)
	Resume()
	IsShed() bool
}

// pressure gives up history while memory is scarce. What is served as current has
// no part in that: it is what the memory is for.
//
// The limit is Go's own (GOMEMLIMIT), or where there is none, the container's. Go
// does not count what history takes, so while there is a GOMEMLIMIT it is lowered by
// as much: then garbage is collected sooner, instead of both together being too
// much.
type pressure struct {
	history sheddable
	// limit is the memory for all; math.MaxInt64 where there is no limit.
	limit int64
	// inUse is what Go has in use, without garbage and without what it may give
	// back, and setLimit tells it how much it may take.
	inUse    func() int64
	setLimit func(int64)
	// told is what setLimit was told last.
	told int64
}

// newPressure watches over a history.
func newPressure(history sheddable) *pressure {
	p := &pressure{history: history, limit: debug.SetMemoryLimit(-1), inUse: inUse, setLimit: func(int64) {}}
	if p.limit != math.MaxInt64 {
		p.setLimit = func(limit int64) { debug.SetMemoryLimit(limit) }
	} else if limit, ok := containerLimit("/sys/fs/cgroup"); ok {
		p.limit = limit
	}
	p.told = p.limit
	return p
}

const (
	// pressureInterval is the time between two looks at memory. A fleet that has more
	// and more to say fills the last tenth of a small container in a few seconds; a
	// look takes some microseconds, and near the limit one at all targets.
	pressureInterval = time.Second
	// shedPercent is how much of the limit may be in use until history is given up,
	// and resumePercent how much at most, with a history as large as it may be, for
	// it to begin again.
	shedPercent, resumePercent = 90, 80
)

// Run looks until ctx ends.
func (p *pressure) Run(ctx context.Context) error {
	if p.limit == math.MaxInt64 {
		return nil
	}
	ticker := time.NewTicker(pressureInterval)
	defer ticker.Stop()
	defer p.tell(p.limit)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			p.look()
		}
	}
}

// look gives up history, or lets it begin again, where it is time to.
func (p *pressure) look() {
	room := p.history.Room()
	if room == 0 {
		p.tell(p.limit)
		return
	}
	used, past := p.inUse(), p.history.Bytes()
	tooMuch := func(bytes int64) bool { return bytes/shedPercent >= p.limit/100 }
	switch shed := p.history.IsShed(); {
	// What is pending takes a look at all targets, and cannot be more than the room:
	// far from the limit nobody has to know.
	case !shed && tooMuch(used+max(room, past)) && tooMuch(used+past+p.history.Pending()):
		released := p.history.Shed()
		klog.InfoS("Memory is scarce: history is given up and not kept until there is room",
			"limitBytes", p.limit, "inUseBytes", used, "historyBytes", past, "releasedBytes", released)
		past = 0
	case shed && (used+room)/resumePercent < p.limit/100:
		p.history.Resume()
		klog.InfoS("There is room: history is kept again", "limitBytes", p.limit, "inUseBytes", used, "historyMaxBytes", room)
	}
	p.tell(max(p.limit-past, p.limit/2))
}

// tell tells Go how much it may take.
func (p *pressure) tell(limit int64) {
	if limit != p.told {
		p.told = limit
		p.setLimit(limit)
	}
}

// inUse is what the last collection found in use, and what Go has beside its heap.
func inUse() int64 {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	bytes := func(i int) int64 { return int64(samples[i].Value.Uint64()) }
	return bytes(0) + bytes(1) - bytes(2) - bytes(3) - bytes(4) - bytes(5)
}
