// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Command pause holds a pod's namespaces open until it is told to end. It is
// the sandbox container of the real-node cluster, which cannot pull one.
package main
