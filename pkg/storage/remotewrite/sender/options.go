// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/message"
)

// Options are what a sender is told.
type Options struct {
	// URL is where to post. Shown is how it is written in logs and states, without
	// what is secret; empty is as URL.
	URL, Shown string
	// Transport makes the requests, with whatever authenticates them.
	Transport http.RoundTripper
	// Headers are sent with each request. They may not be those of the protocol.
	Headers http.Header
	// UserAgent is ours.
	UserAgent string
	// Timeout is how long an attempt may take; 0 is 30 s.
	Timeout time.Duration
	// MinBackoff and MaxBackoff are the first and the longest wait after a failed
	// attempt; 0 is 30 ms and 5 s.
	MinBackoff, MaxBackoff time.Duration
	// MaxAge is how old samples may be to be still posted; 0 is any age.
	MaxAge time.Duration
	// Protocol is what is tried first; 0 is 2.0.
	Protocol message.Protocol
	// FollowRedirects follows answers 307 and 308. Others are not followed in any
	// case: they would make the request one for a page.
	FollowRedirects bool
	// Shut is that nothing is sent until Open is called.
	Shut bool
	// Log is told when the receiver begins to fail, and when it takes samples again.
	Log *slog.Logger

	// jitter is a number from 0 to 1; tests set it.
	jitter func() float64
}

func (o Options) withDefaults() Options {
	if o.Shown == "" {
		o.Shown = o.URL
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MinBackoff == 0 {
		o.MinBackoff = 30 * time.Millisecond
	}
	if o.MaxBackoff == 0 {
		o.MaxBackoff = 5 * time.Second
	}
	if o.Protocol == 0 {
		o.Protocol = message.V2
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.jitter == nil {
		o.jitter = rand.Float64
	}
	return o
}

// A Reason is why samples were not delivered.
type Reason uint8

// The reasons.
const (
	// Rejected: the receiver refused them for good.
	Rejected Reason = iota
	// Ambiguous: the receiver refused them after an attempt whose fate is unknown.
	// It may have had them already.
	Ambiguous
	// TooOld: they are older than MaxAge.
	TooOld
	// Unreadable: they cannot be said in the protocol that the receiver speaks.
	Unreadable
	// Superseded: another process has sent newer ones since, and the receiver takes
	// none that are older.
	Superseded
	// Reasons is how many there are.
	Reasons
)

// String is the reason as metrics have it.
func (r Reason) String() string {
	return [Reasons]string{"rejected", "ambiguous", "too_old", "unreadable", "superseded"}[r]
}

// State is how a sender is doing. Counts are since the start.
type State struct {
	// Protocol is what the receiver is taken to speak; Confirmed says that it has
	// taken a request of 2.0.
	Protocol  message.Protocol
	Confirmed bool
	// Sent is the samples that the receiver has taken, SentBytes the bodies.
	Sent, SentBytes int64
	// Requests is the attempts, Retries those that had to be repeated, Unknown
	// those of which nobody knows whether they were taken: there was no answer, or
	// one of 5xx.
	Requests, Retries, Unknown int64
	// Dropped is samples.
	Dropped [Reasons]int64
	// Flying is the bodies that are being posted.
	Flying int64
	// Newest is the time of the newest sample that was delivered; 0 is none.
	Newest storage.Millis
	// Failure is what was wrong with the last attempt; empty where it succeeded.
	Failure string
	// Since is when Failure, or the time without one, began.
	Since storage.Millis
}
