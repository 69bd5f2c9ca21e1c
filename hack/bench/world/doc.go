// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package world is the simulated cluster of a benchmark as a pure function of
// its size: which nodes there are and where their kubelets listen, which pods
// run on them, and what their containers use.
//
// The processes of a benchmark (the fake kubelets, the floors, the harness that
// writes the API objects) each compute it for themselves and so agree on it
// without asking each other.
//
// A [World] is a value; nothing in it changes. Pods come and go by generations:
// the pod at an index is replaced by one with the same index, another
// generation and hence another name.
package world
