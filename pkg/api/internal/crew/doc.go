// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crew does parts of a request in goroutines of their own. Whoever starts
// one waits for it, and what it panics with comes up there: in the goroutine of
// the request, whose handlers turn it into an answer, where a panic in any other
// goroutine would end the process.
package crew
