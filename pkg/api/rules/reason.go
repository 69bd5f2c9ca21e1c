// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

// reason is why an object has no value.
type reason uint8

const (
	present reason = iota
	// These are of inputs.
	tooOld
	oneSample
	noneThen
	noAnswer
	// These are of results.
	incomplete
	noResult
	ambiguous
	notANumber
	infinite
	negative
	otherLabels
	reasons
)

// String is the reason in words.
func (r reason) String() string {
	switch r {
	case tooOld:
		return "its newest sample is too old"
	case oneSample:
		return "it has one sample so far, and a rate takes two"
	case noneThen:
		return "it has no sample in the time that the expression looks at"
	case noAnswer:
		return "its node has not answered"
	case incomplete:
		return "samples are missing that belong into the value"
	case noResult:
		return "the expression has no result for it"
	case ambiguous:
		return "the expression has several results for it: aggregate, or choose by the metric's selector"
	case notANumber:
		return "the result is not a number"
	case infinite:
		return "the result is infinite, or too large"
	case negative:
		return "the result is negative"
	case otherLabels:
		return "the metric's selector does not match the labels of the result"
	default:
		return "there is a value"
	}
}
