// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lint is a test that holds the architecture of this repository: who
// may import whom, what a package and a file must look like, and what no file
// may contain.
//
// It has no API. The rules that golangci-lint can check are in .golangci.yml;
// those here need to see the whole tree, all its modules included. Each rule
// says why it exists where it is checked. An exception is an entry, with its
// reason, in the rule's list, and a reviewer sees it there.
package lint
