// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// How much the heap may grow until garbage is collected, in percent of what is in
// use. Nearly all of our heap is there to stay, and little is allocated between
// two scrapes, so that collecting at less than half of Go's headroom still happens
// only a few times a minute, and costs less than what it saves: memory for which a
// cluster pays all the time. Who asks for many lists makes garbage all the time;
// then each collection, which has to look at all that stays, is worth twice the
// memory for as long as that lasts.
const (
	calmPercent = 33
	busyPercent = 80
)

// busyInterval is the time between two collections below which much is asked for.
// A busy server stays busy: the same work then takes twice the time from one to
// the next.
const busyInterval = time.Second

// settled is how long after its start the server has listed all objects and
// reached all nodes that there are to reach. Until then the heap grows, most of
// what is allocated is garbage, and first answers wait: Go's headroom is right.
const settled = 30 * time.Second

// paceGarbage sets the percentage anew after each collection once the server has
// settled, until stop is called, unless who runs us says otherwise by the
// environment variable that every Go program has for it.
func paceGarbage() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	p := &garbagePacer{}
	begin := time.AfterFunc(settled, func() {
		p.set(calmPercent)
		p.await(time.Now())
	})
	return func() {
		begin.Stop()
		p.stopped.Store(true)
	}
}

// garbagePacer follows collections. It needs no clock that wakes anybody.
type garbagePacer struct {
	percent int
	stopped atomic.Bool
}

// await waits for the next collection, which is when what nobody holds is cleaned
// up, and goes on from there. last is when the one before was.
func (p *garbagePacer) await(last time.Time) {
	type collected struct{ _ *int } // With a pointer, or it may share its memory.
	runtime.AddCleanup(new(collected), func(last time.Time) {
		if p.stopped.Load() {
			return
		}
		now := time.Now()
		p.set(percentAfter(now.Sub(last)))
		p.await(now)
	}, last)
}

// set is called by one goroutine at a time: by the timer, and then by one cleanup
// after the other.
func (p *garbagePacer) set(percent int) {
	if p.percent != percent { // It stops the world.
		p.percent = percent
		debug.SetGCPercent(percent)
	}
}

// percentAfter is the percentage for a time in which so much lies between two
// collections.
func percentAfter(interval time.Duration) int {
	if interval < busyInterval {
		return busyPercent
	}
	return calmPercent
}
