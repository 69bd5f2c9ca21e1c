// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package exposition reads the syntax of the Prometheus text format, version
// 0.0.4, and knows nothing of what the series mean.
//
// # Types
//
//   - Lines: cuts a body into lines and skips blank ones and comments.
//   - Series: one parsed line: metric name, labels, value, timestamp.
//   - Sample: value and timestamp alone, for who knows the series already.
//   - Number: an exact reader of decimal numbers into unsigned integers.
//
// # What is accepted
//
// What prometheus' own parser (model/textparse) accepts, with these
// differences:
//
//   - Lines are lines: a line feed inside a quoted label value is refused; in
//     the format it is written as \n. So a bad line never takes the next with it.
//   - Names that are quoted because they are not of the classic form
//     (`{"my.metric"} 1`) are refused.
//   - The text of HELP and TYPE comments is not looked at.
//   - The last line must end with a line feed, as the format demands: without
//     it nobody can tell a number from a number that was cut short.
//   - Zero bytes are only allowed in label values, like all other bytes that
//     are valid UTF-8.
//
// # Ownership
//
// Nothing is copied: names, labels and values are parts of the body, valid as
// long as it is. Nothing is allocated, except for label values with escapes
// when they are asked for.
package exposition
