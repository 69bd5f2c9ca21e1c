// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chaos holds every failure and threat that the server must stand, with
// the tests that show it.
//
// [Rows] is the one table of them; docs/failures.md is written from it. Each row
// has short tests, which run in `make test`, and most have a long one, which
// `make chaos` runs at the size and for the time that the row asks for, on a
// real control plane (package rig). A row that nothing shows yet says so.
//
// Long tests are in this package: experiments that write their figures, each
// with its limit, into a [Report]. To add a row, add it to the table; a test
// says what is missing.
package chaos
