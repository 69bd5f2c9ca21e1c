// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package phase says when a node is asked: at which part of the period, from the
// node's name and the number of nodes alone.
package phase
