// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package exposition

import "fmt"

// Fault is what is wrong with a line.
type Fault uint8

// The faults of a line.
const (
	// FaultTooLong: the line is longer than MaxLineBytes.
	FaultTooLong Fault = iota
	// FaultTooManyLabels: the series has more than Series.MaxLabels labels.
	FaultTooManyLabels
	// FaultName: there is no metric's name.
	FaultName
	// FaultQuotedName: a name is in quotes, which is not supported.
	FaultQuotedName
	// FaultLabelName: there is no label's name, nor the closing brace.
	FaultLabelName
	// FaultEqual: there is no equal sign after a label's name.
	FaultEqual
	// FaultLabelValue: there is no label's value in quotes.
	FaultLabelValue
	// FaultUTF8: a label's value is not valid UTF-8.
	FaultUTF8
	// FaultValue: there is no value.
	FaultValue
	// FaultTimestamp: what stands for a timestamp is not one.
	FaultTimestamp
	// FaultTrailing: something follows the timestamp.
	FaultTrailing
)

// String is the fault in words.
func (f Fault) String() string {
	switch f {
	case FaultTooLong:
		return "line too long"
	case FaultTooManyLabels:
		return "too many labels"
	case FaultName:
		return "no metric name"
	case FaultQuotedName:
		return "quoted name"
	case FaultLabelName:
		return "no label name or closing brace"
	case FaultEqual:
		return "no equal sign after a label name"
	case FaultLabelValue:
		return "no quoted label value"
	case FaultUTF8:
		return "label value is not valid UTF-8"
	case FaultValue:
		return "no value"
	case FaultTimestamp:
		return "not a timestamp"
	case FaultTrailing:
		return "something after the timestamp"
	default:
		return "unknown fault"
	}
}

// SyntaxError is why a line is not of the format.
type SyntaxError struct {
	Fault Fault
	// At is where in the line, in bytes; where the line is, Lines tells.
	At int
}

// Error is the fault and its place; it holds nothing of the line.
func (e SyntaxError) Error() string { return fmt.Sprintf("%s at byte %d of the line", e.Fault, e.At) }
