// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package run is a benchmark from beginning to end: it builds what it measures,
// brings a real kube-apiserver and the fake kubelets up, measures metrics-server,
// the product and the floors one after the other, and reports.
//
//   - options.go: what to run and for how long.
//   - site.go: what the servers run against.
//   - server.go, programs.go: the servers, as processes.
//   - starts.go, first.go, steady.go, lists.go, floors.go: what is measured.
//   - table.go: the rows of the report, and the goals.
//
// Everything but the harness is a process of its own. They end with it.
package run
