// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package procfs reads what Linux says of a process: its CPU time, its resident
// memory and the peak of that. Memory is in bytes.
package procfs
