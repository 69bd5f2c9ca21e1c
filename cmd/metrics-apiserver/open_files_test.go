// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"testing"
)

func TestMaxConnections(t *testing.T) {
	for files, want := range map[uint64]int{
		0: 0, 1: 1, 100: 50, 1024: 512, 20_000: 18_976, 1 << 20: 1<<20 - 1024, math.MaxUint64: 0,
	} {
		if got := maxConnections(files); got != want {
			t.Errorf("of %d files %d are for nodes, want %d", files, got, want)
		}
	}
	if openFiles() == 0 {
		t.Error("the system does not say how many files may be open")
	}
}
