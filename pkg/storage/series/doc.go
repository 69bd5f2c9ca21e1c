// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package series is the vocabulary of labelled samples: what a node says, as
// Prometheus would have read it. The typed samples that metrics.k8s.io and the
// catalogue are served from know their meaning and have no labels; rules, history
// and remote-write need labels, and read the same answers a second way.
//
// A scraper turns each answer of one [Source] of one node into a [Batch] and
// gives it to a [Receiver]. So that labels are looked at once and not in every
// answer, the receiver names each series by a [Handle] of its own when it first
// appears, and a batch is three parallel columns: handle, time, value.
//
// A receiver that does not want everything, or not always the same, is a [Chooser].
// What labels a node has as a target, and how they and those of the answer become
// one set, is said by [TargetLabels] and [Labels.AppendTarget].
//
// [Recent] keeps the newest samples of chosen series.
//
// Times are milliseconds since 1970. What is handed over belongs to the caller
// again when the call returns.
package series
