// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tally counts for which reasons objects have no value, in words for
// people: what a provider of custom metrics says where it has none. A Tally belongs
// to one request and is not for concurrent use.
package tally
