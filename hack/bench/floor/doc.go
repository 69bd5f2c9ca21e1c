// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package floor is what any scraper must pay at least: it gets the bytes of
// every node at the moments at which the server would, over one kept connection
// a node, and discards them.
//
// Which transport is the cheapest is for the benchmark to find out: [HTTP1] and
// [HTTP2] are the standard library's client, [NodeClient] is the product's own.
package floor
