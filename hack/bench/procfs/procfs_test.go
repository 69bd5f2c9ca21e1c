// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"os"
	"testing"
	"time"
)

// TestSelf reads this process, which uses CPU meanwhile.
func TestSelf(t *testing.T) {
	pid := os.Getpid()
	before, err := CPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); {
	}
	after, err := CPU(pid)
	if err != nil || after <= before {
		t.Errorf("from %v to %v, %v", before, after, err)
	}
	if err := ResetPeak(pid); err != nil {
		t.Fatal(err)
	}
	m, err := MemoryOf(pid)
	if err != nil || m.Anonymous == 0 || m.RSS < m.Anonymous || m.Peak < m.RSS/2 {
		t.Errorf("%+v, %v", m, err)
	}
	if machine := ThisMachine(1); machine.Memory == 0 || machine.Kernel == "" {
		t.Errorf("%+v", machine)
	}
}
