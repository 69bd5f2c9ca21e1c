// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package filelock keeps two processes from doing the same work at once, with
// an exclusive lock on a file.
package filelock
