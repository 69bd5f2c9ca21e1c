// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime/debug"
	"time"
)

// gcPercent is how much the heap may grow until garbage is collected, in percent
// of what is in use. Nearly all of our heap is there to stay, and little is
// allocated between two scrapes, so that collecting at half of Go's headroom
// still happens only a few times a minute, and costs less than what it saves:
// memory for which a cluster pays all the time.
const gcPercent = 50

// settled is how long after its start the server has listed all objects and
// reached all nodes that there are to reach. Until then the heap grows, most of
// what is allocated is garbage, and first answers wait: Go's headroom is right.
const settled = 30 * time.Second

// limitGarbage sets gcPercent once the server has settled, unless who runs us says
// otherwise by the environment variable that every Go program has for it. stop
// takes it back.
func limitGarbage() (stop func() bool) {
	if os.Getenv("GOGC") != "" {
		return func() bool { return false }
	}
	return time.AfterFunc(settled, func() { debug.SetGCPercent(gcPercent) }).Stop
}
