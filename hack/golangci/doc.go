// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Golangci builds the golangci-lint that hack/tools pins, unless it is in the
// cache of tools, and runs it with the settings of .golangci.yml in every module
// that has code of ours. Its arguments go to golangci-lint, for instance --fix.
package main
