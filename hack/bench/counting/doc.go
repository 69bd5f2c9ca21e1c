// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package counting is a receiver of remote-write that counts samples and stores
// none, so that the CPU time of a benchmark is the senders'.
//
// A [Receiver] counts by path, so that several senders can be told apart, and says
// what it has counted. It takes 1.0 and 2.0. Below [HangPath] it takes a request and
// never answers.
package counting
