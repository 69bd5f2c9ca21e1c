// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report is the table that a benchmark prints and stores: a row for
// each figure, with the medians of the two servers and of the floor, their
// ratios, and the goal with whether it was reached.
//
// A [Report] is data; [Report.Markdown] is for people and its JSON for
// programs.
package report
