// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package exposition reads the syntax of the Prometheus text format, version
// 0.0.4, and knows nothing of what the series mean.
//
// # Types
//
//   - Lines: cuts a body into lines and skips blank ones and comments. A bad
//     line costs only itself: the next call is at the next line.
//   - Series: the parser of one line: metric name, labels, value, timestamp.
//   - Sample: value and timestamp alone, for who knows the series already.
//   - ParsePlain, Plain: a sample and its number in one pass, in the form that nearly
//     all samples have.
//   - ParseUint: reads a value's decimal digits exactly, without float64.
//
// # What is accepted
//
// What prometheus' own parser (its package model/textparse) accepts, less this:
//
//   - A line feed inside a quoted label value is refused; the format writes it
//     as \n. So lines are lines, and a bad one never takes the next with it.
//   - Names in quotes, which the format has for names that are not of the
//     classic form (`{"my.metric"} 1`), are refused.
//   - The last line must end with a line feed, as the format demands: without
//     it nobody can tell a number from one that was cut short.
//   - A zero byte ends prometheus' parsing in most places; here it is refused
//     like any other byte that does not belong there. In a label value it is
//     taken, like all that is valid UTF-8.
//
// The text of comments is not looked at, not even that of HELP and TYPE.
//
// # Ownership
//
// Nothing is copied: names, labels and values are parts of the body and valid
// as long as it is. Nothing is allocated either, except for an error, and for a
// label value with escapes when it is asked for. All types are for one
// goroutine at a time.
package exposition
