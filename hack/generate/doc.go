// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Generate writes the generated files of the checkout anew: the OpenAPI
// definitions of the served types, from the versions of their packages that
// go.mod names, and docs/metrics.md, from the catalogue of metrics. With --verify
// it changes nothing, and fails where the result would differ.
package main
