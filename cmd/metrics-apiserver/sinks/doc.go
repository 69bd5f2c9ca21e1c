// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sinks is the sinks that the configuration file's remoteWrite list asks
// for: what a block says, the sinks made of all blocks, their metrics and states.
//
// A block is Prometheus' remote_write block, with its keys and their meanings, so
// that what is written for Prometheus works here, and a few keys of ours: sources,
// queue_directory, queue_size, flush_deadline, out_of_order and standby_size. A key
// that is not known, or that asks for what we do not do, is refused with its line.
// [Read] checks a block and opens nothing; [Set.Apply] makes the sinks of all blocks,
// in place of those before, and [Set.Run] ships.
//
// Of several replicas one leads: see [Set.Lead]. How far that one is, the others are
// told by its mark, a text of which only this package knows what it says.
//
// Differences to Prometheus: 2.0 is tried first unless protobuf_message says
// otherwise, an answer 429 is always retried, and the name of a block without one
// is its place in the list.
package sinks
