// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

// State is how a target does.
type State string

// The states.
const (
	// Pending: it has not been scraped yet.
	Pending State = "pending"
	// Up: its last scrape was good.
	Up State = "up"
	// Down: its last scrape failed.
	Down State = "down"
)

// Status is how a target did at its last scrape. It is a copy.
type Status struct {
	Node  string
	State State
	// Address is the address, with the port, of the open connection; empty is:
	// there is none.
	Address string

	// Attempted and Succeeded are when the last scrape, and the last good one,
	// began; zero is never. Took is how long the last one took.
	Attempted, Succeeded time.Time
	Took                 time.Duration
	// Failures is how many scrapes have failed in a row, FailingSince when the
	// first of them ended; Reason and Error are of the last one.
	Failures     int
	FailingSince time.Time
	Reason       nodeclient.Reason
	Error        string

	// Stats is what the last good answer had and what of it was refused.
	Stats kubelet.Stats
	// Unrated is how many of its containers had no rate.
	Unrated int
	// Bridging says that the node counts as fresh.
	Bridging bool
	// ClockOffset is our clock less the node's, 0 within 2 s.
	ClockOffset time.Duration
}
