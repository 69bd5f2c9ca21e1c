// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package configfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// A Problem is one thing that is wrong with a file, and where.
type Problem struct {
	// File is the file's name as it was given.
	File string
	// Line counts from 1; 0 where it is the file as a whole.
	Line int
	// Message says what is wrong and what to do.
	Message string
}

// Error is the problem as compilers write theirs.
func (p *Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Message)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// joined is all problems as one error, in the order of their lines; nil where
// there are none.
func joined(problems []*Problem) error {
	slices.SortStableFunc(problems, func(a, b *Problem) int { return cmp.Compare(a.Line, b.Line) })
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}
