// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestGarbagePacer: collections that follow soon upon each other make the server
// busy.
func TestGarbagePacer(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	current := func() int {
		percent := debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return percent
	}
	p := &garbagePacer{}
	p.set(calmPercent)
	if got := current(); got != calmPercent {
		t.Fatalf("GOGC is %d before the first collection, want %d", got, calmPercent)
	}
	p.await(time.Now())
	t.Cleanup(func() { p.stopped.Store(true) })
	// What nobody holds is cleaned up some time after the collection.
	for deadline := time.Now().Add(30 * time.Second); current() != busyPercent; {
		if time.Now().After(deadline) {
			t.Fatalf("GOGC is %d, want %d", current(), busyPercent)
		}
		runtime.GC()
	}
}

func TestPercentAfter(t *testing.T) {
	for interval, want := range map[time.Duration]int{
		0: busyPercent, busyInterval - 1: busyPercent, busyInterval: calmPercent, time.Minute: calmPercent,
	} {
		if got := percentAfter(interval); got != want {
			t.Errorf("%v: got %d, want %d", interval, got, want)
		}
	}
}
