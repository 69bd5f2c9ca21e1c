// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much the heap may grow until garbage is collected, in percent
// of what is in use. Nearly all of our heap is there to stay, and little is
// allocated between two scrapes, so that collecting at half of Go's headroom
// still happens only every other ten seconds, and costs less than what it saves:
// memory for which a cluster pays all the time.
const gcPercent = 50

// limitGarbage sets it, unless who runs us says otherwise by the environment
// variable that every Go program has for it.
func limitGarbage() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
