// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelettest

import "time"

// Fault is what goes wrong with a kubelet. Its zero value is nothing.
type Fault struct {
	// Path is the path of the requests for which it holds; empty is all. Skew
	// holds for all paths.
	Path string
	// Times is for how many requests it holds; 0 is for all.
	Times int
	// Delay is how long an answer takes to begin.
	Delay time.Duration
	// Hang is to accept connections and requests and never answer.
	Hang bool
	// Drip is the time between two bytes of an answer's body.
	Drip time.Duration
	// Reset is to end the connection with a reset instead of answering.
	Reset bool
	// CutAfter is to end the connection within the body, after so many bytes.
	CutAfter int
	// Status is the answer's status; 0 is 200.
	Status int
	// Redirect is where an answer with a status of 307 sends the client.
	Redirect string
	// Bomb is how many bytes a body has, all of them line feeds; BombGzip
	// sends it compressed.
	Bomb     int64
	BombGzip bool
	// Stall is to stop behind a bomb, with neither another byte nor an end.
	Stall bool
	// Skew is how far the node's clock is ahead: its Date header and all its
	// times.
	Skew time.Duration
	// Body replaces the answer of /metrics/resource.
	Body []byte
	// Extra stands behind the answer of /metrics/resource: what a lying node
	// adds.
	Extra []byte
	// SummaryStatus is the status of /stats/summary alone; 0 is 200.
	SummaryStatus int
}
