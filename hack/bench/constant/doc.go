// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package constant is an API server that does nothing but answer: the generic
// server of k8s.io/apiserver with the same filters, authentication and
// authorization as the product, and one resource, pods of metrics.k8s.io, whose
// lists are constant bytes.
//
// It is the floor for lists: what is above it is what a server adds. Without
// any bodies it is the empty server whose memory every server of its kind has.
package constant
