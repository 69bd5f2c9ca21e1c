// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import "fmt"

// Reason says why a series of an otherwise good answer was refused.
type Reason uint8

// The reasons for refusing a series.
const (
	// RefusedSyntax: the line, or its value, is not of the text format.
	RefusedSyntax Reason = iota
	// RefusedTooLong: the line, its number of labels or a name is beyond the
	// bound that Options set.
	RefusedTooLong
	// RefusedLabels: a container's series lacks its namespace, pod or
	// container, has an empty one, or one of them twice.
	RefusedLabels
	// RefusedNotANumber: the value is NaN.
	RefusedNotANumber
	// RefusedInfinite: the value is an infinity.
	RefusedInfinite
	// RefusedNegative: the value is below zero.
	RefusedNegative
	// RefusedOverflow: the value is beyond 2^63-1 of its unit.
	RefusedOverflow
	// RefusedTimestamp: the timestamp is not between the years 1970 and 9999,
	// or the start that is the value not between 1990 and 9999. A start of 0 is
	// unknown and not refused.
	RefusedTimestamp
	// RefusedDuplicate: the same series came before; the first is taken.
	RefusedDuplicate
	// Reasons is the number of reasons.
	Reasons
)

// String is the reason as a metric's label.
func (r Reason) String() string {
	switch r {
	case RefusedSyntax:
		return "syntax"
	case RefusedTooLong:
		return "too_long"
	case RefusedLabels:
		return "labels"
	case RefusedNotANumber:
		return "not_a_number"
	case RefusedInfinite:
		return "infinite"
	case RefusedNegative:
		return "negative"
	case RefusedOverflow:
		return "overflow"
	case RefusedTimestamp:
		return "timestamp"
	case RefusedDuplicate:
		return "duplicate"
	default:
		return "unknown"
	}
}

// Refusal is one refused series and where it stands. Nothing of its text is
// kept: it is a stranger's, and may be long.
type Refusal struct {
	Reason Reason
	// Line counts from 1, and Offset is where it begins, in bytes. In JSON Line
	// is 0 and Offset is where the number stands.
	Line, Offset int
}

// String is the refusal in words.
func (r Refusal) String() string {
	if r.Line == 0 {
		return fmt.Sprintf("byte %d: %s", r.Offset, r.Reason)
	}
	return fmt.Sprintf("line %d (byte %d): %s", r.Line, r.Offset, r.Reason)
}

// Stats says what was found in an answer.
type Stats struct {
	// Series is how many readings were taken: numbers of series in
	// /metrics/resource, estimates in /stats/summary.
	Series int
	// Moved is how many estimates of /stats/summary were not taken because they are
	// of another moment than the sample they would belong to: the kubelet refreshed
	// it between the two answers.
	Moved int
	// Containers is how many containers the answer lists.
	Containers int
	// Refused counts the refused series by reason.
	Refused [Reasons]int
	// FirstRefusal is one of them, an example for the log; it means something
	// only where RefusedTotal is not 0.
	FirstRefusal Refusal
	// ScrapeErrors is 1 where the kubelet says that it could not read all of
	// its containers.
	ScrapeErrors int
}

// RefusedTotal is how many series were refused, for whatever reason.
func (s *Stats) RefusedTotal() int {
	total := 0
	for _, n := range s.Refused {
		total += n
	}
	return total
}

// refuse counts a refusal.
func (s *Stats) refuse(r Refusal) {
	if s.RefusedTotal() == 0 {
		s.FirstRefusal = r
	}
	s.Refused[r.Reason]++
}
