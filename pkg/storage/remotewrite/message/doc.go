// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package message writes the two messages of Prometheus' remote-write protocol:
// prometheus.WriteRequest of 1.0 and io.prometheus.write.v2.Request of 2.0, each
// as the snappy block that goes over the wire.
//
// What a series is called does not change from one sample to the next, so its
// strings are kept once, as [Symbols], and a [Series] is numbers of them. An
// [Encoder] takes samples one by one and gives the body of a request; it holds
// buffers and is for one goroutine. [Downgrade] makes the body of 1.0 from one of
// 2.0, for receivers that turn out not to know 2.0.
//
// A message holds what it is given: that no series comes twice in it is up to the
// caller.
package message
