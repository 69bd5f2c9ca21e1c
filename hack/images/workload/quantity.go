// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"strings"
)

// millicores is an amount of CPU, in thousandths of a core. Its text is a
// number of cores or, with "m", of millicores.
type millicores int64

// Set reads the text.
func (m *millicores) Set(s string) error {
	digits, isMilli := strings.CutSuffix(s, "m")
	n, err := strconv.ParseUint(digits, 10, 20)
	if err != nil {
		return fmt.Errorf("%q is not an amount of CPU such as 50m", s)
	}
	if !isMilli {
		n *= 1000
	}
	*m = millicores(n)
	return nil
}

// String returns the text.
func (m *millicores) String() string { return strconv.FormatInt(int64(*m), 10) + "m" }

// byteSize is an amount of bytes. Its text is a number, with Ki, Mi or Gi
// where it is meant so.
type byteSize int64

// Set reads the text.
func (b *byteSize) Set(s string) error {
	digits, shift := s, 0
	for i, suffix := range []string{"Ki", "Mi", "Gi"} {
		if d, ok := strings.CutSuffix(s, suffix); ok {
			digits, shift = d, 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return fmt.Errorf("%q is not an amount of bytes such as 50Mi", s)
	}
	*b = byteSize(n << shift)
	return nil
}

// String returns the text.
func (b *byteSize) String() string { return strconv.FormatInt(int64(*b), 10) }
