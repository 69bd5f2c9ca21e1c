// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package storage keeps the newest usage of every node and container in memory
// and turns cumulative counters into the rates that are served.
//
// The way through it: a scraper hands one Batch (one answer of one node) to
// Store.Commit; the store derives rates from it by the rules of advance (file
// rate.go), assembles each pod's answer (file answer.go) and publishes the
// node's new state with one atomic pointer; Store.Pod and Store.Node read that
// state without a lock that a commit holds.
//
// # Types
//
//   - Sample: what a node says of one container at one moment.
//   - Layout: the immutable, sorted names of a node's containers; row i of a
//     batch belongs to row i of its layout.
//   - Batch: one answer of one node.
//   - Store: the latest state of all nodes.
//   - PodUsage, NodeUsage: what is served.
//
// # Units
//
// Times are Millis (Unix milliseconds), CPU counters are nanoseconds of CPU,
// CPU rates are nanocores, memory and swap are bytes.
//
// # Two clocks
//
// Sample.Time and Sample.Start are by the node's clock. Batch.Offset is what
// must be added to them to reach ours. Everything that is served, and every age,
// is by our clock; differences between two samples of one node never mix clocks.
//
// # Concurrency and ownership
//
// All methods of Store may be called concurrently; commits of one node are
// serialized. A Batch belongs to its caller again when Commit returns, its
// Layout is shared and never written. What is read is the reader's.
//
// The package knows nothing of Kubernetes' types and imports the standard
// library only.
package storage
