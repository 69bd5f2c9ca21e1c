// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package exposition

import "math"

// Sample is what a line says of its series.
type Sample struct {
	// Value is the number as it stands, never empty. Whether it is a number is
	// not known yet: see ParseUint.
	Value []byte
	// Timestamp is in Unix milliseconds and not below 0. It means something
	// only where HasTimestamp is set.
	Timestamp    int64
	HasTimestamp bool
}

// ParseSample reads the rest of a line behind its series, for who knows without
// parsing where that ends. What it returns is a SyntaxError.
func ParseSample(rest []byte) (Sample, error) { return parseSample(rest, 0) }

// parseSample reads line[at:].
func parseSample(line []byte, at int) (Sample, error) {
	begin := len(line) - len(skipSpace(line[at:]))
	end := begin
	for end < len(line) && line[end] != ' ' && line[end] != '\t' && line[end] != '{' {
		end++
	}
	if begin == end {
		return Sample{}, SyntaxError{Fault: FaultValue, At: begin}
	}
	sample := Sample{Value: line[begin:end]}

	begin = len(line) - len(skipSpace(line[end:]))
	if begin == len(line) {
		return sample, nil
	}
	end = begin
	for ; end < len(line) && isDigit(line[end]); end++ {
		digit := int64(line[end] - '0')
		if sample.Timestamp > (math.MaxInt64-digit)/10 {
			return Sample{}, SyntaxError{Fault: FaultTimestamp, At: begin}
		}
		sample.Timestamp = sample.Timestamp*10 + digit
	}
	if begin == end {
		return Sample{}, SyntaxError{Fault: FaultTimestamp, At: begin}
	}
	sample.HasTimestamp = true
	if end += len(line[end:]) - len(skipSpace(line[end:])); end < len(line) {
		return Sample{}, SyntaxError{Fault: FaultTrailing, At: end}
	}
	return sample, nil
}
