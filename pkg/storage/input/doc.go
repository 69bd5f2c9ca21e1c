// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package input keeps the newest of the numbers that kubelets give beside CPU,
// memory and swap: network, file systems, throttling, pressure, processes. They
// are what the custom metrics are computed from.
//
// # Types
//
//   - ID: one such number; Table says of each where it comes from, whose it is
//     and in what unit it counts.
//   - Set: a set of IDs.
//   - Batch: one answer of one source of one node.
//   - Store: the latest state of all nodes, of those inputs that are wanted.
//   - Value: what is served of one input.
//
// What these are not: labelled series. A node holds, for each wanted input, one
// column of numbers, parallel to the names of its pods or containers, so that an
// input costs 12 bytes a pod (24 to 36 where it is a counter) and an unwanted one
// nothing; see BenchmarkMemory.
//
// # Units
//
// Inputs are whole numbers in the units that Table gives: bytes, nanoseconds and
// so on, exactly as the kubelet counts. A Value is in the base unit: bytes,
// seconds, a ratio; and per second where the input is a counter.
//
// # Rates
//
// A counter's rate is the difference of two distinct samples of one run over
// the difference of those samples' own times, which is the window. A sample with
// the time that is held already is no new sample. A counter that goes back, and
// one of a new run, has no rate until its next sample, and a sample older than
// the input's staleness bound is no previous sample. Where the source gives
// whole seconds only (the summary), the rate is taken over two refreshes as soon
// as there are two, because over one it could be a tenth off.
//
// # Freshness
//
// What is older than the input's own staleness bound is not served: that of
// package storage, and for inputs that the kubelet itself refreshes slowly, such
// as volumes, as much more as it may take (Info.Refresh). As there, all ages are
// by our clock, and a value of a pod is not older than the pod.
//
// # Concurrency and ownership
//
// All methods of Store may be called concurrently. Commits of one source of one
// node are serialized; readers wait for nobody. A Batch belongs to its caller
// again when Commit returns, its Layout is shared and never written.
package input
