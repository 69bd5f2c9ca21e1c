// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package process starts, watches and ends the processes of a cluster for
// development and tests.
//
// A [Process] is one child with its output in a log file. It either ends with
// the program that started it, however that dies (Linux; elsewhere on
// [Process.Stop]), or it is detached and outlives it; a later program takes a
// detached process over by its [ID] with [Adopt].
//
// An error about a process names it and its command, and quotes the last lines
// of its log. Nothing of a process is kept open here: its output goes straight
// to the file.
package process
