// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package history keeps what nodes said lately, all series of it, in one bounded
// piece of memory outside of Go's heap. It is for rules that are new: the rings of
// [series.Recent] hold only what somebody asked for before it came.
//
// It is lossy by contract. The oldest makes room for the newest, and what cannot be
// found is "no history"; but what is found is exactly what the node said, bit for
// bit. Nothing that is served as a current value may depend on it.
//
// The series of one source of one node are a target, in lanes of about a thousand
// (lane.go). A lane appends each answer's new samples to an open block (block.go),
// as differences of integers wherever that loses nothing (scale.go), and when the
// block is full, after some answers, it is put into a cache of
// github.com/VictoriaMetrics/fastcache, where it is not written again. What labels
// a series had is on the heap, in a few bytes each (symbols.go), for as long as
// there are blocks that need them.
//
// [Store] is a [series.Consumer]. [Reader] puts it behind rings.
package history
