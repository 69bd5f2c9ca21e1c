// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the project against a real Kubernetes control plane, which
// the tests start themselves. `go test -short` skips them. Two run side by side, see
// inLane.
package e2e
