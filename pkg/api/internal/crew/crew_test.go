// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package crew

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestEach: each piece is done once.
func TestEach(t *testing.T) {
	for _, pieces := range []int{0, 1, 2, 3, 1000} {
		done := make([]int, pieces)
		Each(pieces, func(piece int) { done[piece]++ })
		if slices.ContainsFunc(done, func(times int) bool { return times != 1 }) {
			t.Errorf("%d pieces: done %v times", pieces, done)
		}
	}
}

// TestPanic: a panic comes up in the goroutine that waits, when all others are
// done, with where it was.
func TestPanic(t *testing.T) {
	for pieces := range 5 {
		var mu sync.Mutex
		begun, ended := 0, 0
		message := panicOf(func() {
			Each(pieces, func(int) {
				mu.Lock()
				defer mu.Unlock()
				begun++
				defer func() { ended++ }()
				panic("lost it")
			})
		})
		if begun != ended || (pieces > 0) != strings.Contains(message, "lost it") {
			t.Errorf("%d pieces: %d of %d ended, and %q", pieces, ended, begun, message)
		}
	}
	hand := Start(func() { panic("lost it") })
	if message := panicOf(hand.Wait); !strings.HasPrefix(message, "BUG: lost it") || !strings.Contains(message, "crew_test.go") {
		t.Errorf("%q", message)
	}
	Start(func() {}).Wait()
}

// panicOf is what do panics with, "" where it does not.
func panicOf(do func()) (message string) {
	defer func() {
		if value := recover(); value != nil {
			message, _ = value.(string)
		}
	}()
	do()
	return ""
}
