// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package catalogue has the metrics that are served without any configuration:
// those of pods, nodes and namespaces that follow from what kubelets tell.
//
//   - Table is the catalogue: of each metric its name, unit and Formula.
//   - Provider computes them; it is a custommetrics.Provider.
//   - Demand knows which inputs are wanted: those of metrics that an HPA names,
//     that were asked for lately, or that are always wanted.
//
// Values are computed when they are asked for, from what package storage and
// package storage/input hold of nodes and package objects of the cluster. An
// object without a value is left out, with the reason counted for the message
// where none has one; nothing is ever taken for zero.
//
// # Sums
//
// A namespace's value is the sum over its running pods. A sum that lacks a part
// would be too small, and an HPA would scale down on it, so there is none while a
// pod that ought to have a value has none. Left out without harm are pods that
// cannot have a value (that lack what the metric needs, that have no limit to hold
// the use against, that are on the host's network, of which no container
// runs, whose node is not scraped), that are going, or that began less than a
// minute ago.
//
// # Concurrency
//
// All methods may be called concurrently. Run of Demand joins what it started.
package catalogue
