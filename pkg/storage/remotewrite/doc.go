// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package remotewrite ships what nodes say to a long-retention store that takes
// Prometheus' remote-write: a [Sink] is a series.Consumer.
//
// # The way of a sample
//
// A receiver's Commit copies the samples of an answer into a block and returns: a
// scrape waits for nothing else. One goroutine takes the blocks, leaves out samples
// that were in an earlier answer too, sorts the others into lanes by series, and
// makes a body of a lane when it has 2,000 samples or is 5 s old. With that the
// samples are accepted: package queue keeps the body, on disk where there is a
// directory, until package sender has delivered it.
//
// A body has at most one sample of a series, and the bodies of a lane are delivered
// one after the other. So an attempt can be repeated without a sample arriving
// after a newer one of its series. What is done at least once may be done twice:
// where the fate of an attempt is unknown it is repeated.
//
// What a receiver is away for is bounded by the queue; what the disk is away for,
// by memory. Beyond that the oldest is dropped. Whatever is not delivered is
// counted, by reason, in [State].
//
// # Labels
//
// A series has the labels that the node gave it, then those of the target, as
// Prometheus would have scraped it, then external labels; what is there already
// stays. Then it is relabelled, once, when it appears. Beside what nodes say there
// are up and scrape_duration_seconds of each source.
//
// A series that vanishes gets a stale marker, also when its node does. When the
// process ends, none does.
package remotewrite
