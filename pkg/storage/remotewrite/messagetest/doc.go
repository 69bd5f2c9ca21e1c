// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package messagetest reads messages of remote-write for the receivers of tests. It
// shares nothing with package message, which writes them.
package messagetest
