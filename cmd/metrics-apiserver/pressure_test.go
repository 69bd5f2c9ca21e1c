// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
)

// pastMemory is a history that is nothing but its size.
type pastMemory struct {
	bytes, room   int64
	pending       int64
	shed          bool
	sheds, begins int
}

func (m *pastMemory) Bytes() int64 { return m.bytes }
func (m *pastMemory) Room() int64  { return m.room }

func (m *pastMemory) Pending() int64 { return m.pending }

func (m *pastMemory) IsShed() bool { return m.shed }

func (m *pastMemory) Shed() int64 {
	released := m.bytes
	m.bytes, m.shed = 0, true
	m.sheds++
	return released
}

func (m *pastMemory) Resume() {
	m.shed = false
	m.begins++
}

func TestPressure(t *testing.T) {
	const mib = 1 << 20
	past := &pastMemory{room: 64 * mib}
	var used, told int64 = 0, 1000 * mib
	p := &pressure{history: past, limit: 1000 * mib, told: 1000 * mib, inUse: func() int64 { return used }, setLimit: func(limit int64) { told = limit }}
	for _, step := range []struct {
		what          string
		used, bytes   int64
		sheds, begins int
		told          int64
	}{
		{"at the start", 100, 0, 0, 0, 1000},
		{"history grows", 300, 64, 0, 0, 936},
		{"much in use", 830, 64, 0, 0, 936},
		{"too much", 840, 64, 1, 0, 1000},
		{"too much still", 950, 0, 1, 0, 1000},
		{"less, not by enough", 740, 0, 1, 0, 1000},
		{"room again", 730, 0, 1, 1, 1000},
		{"and too much again", 900, 64, 2, 1, 1000},
	} {
		used, past.bytes = step.used*mib, step.bytes*mib
		p.look()
		if past.sheds != step.sheds || past.begins != step.begins || told != step.told*mib {
			t.Errorf("%s: given up %d times, begun again %d times, Go was told %d MiB", step.what, past.sheds, past.begins, told/mib)
		}
	}
	// What is about to be taken counts before it is.
	past.shed, past.bytes, past.pending, used = false, 10*mib, 20*mib, 869*mib
	if p.look(); past.sheds != 2 {
		t.Errorf("given up %d times", past.sheds)
	}
	used = 870 * mib
	if p.look(); past.sheds != 3 {
		t.Errorf("given up %d times", past.sheds)
	}
	past.sheds = 2
	// What is not kept is not looked at.
	past.room, past.shed, used = 0, false, 990*mib
	p.look()
	if past.sheds != 2 || told != 1000*mib {
		t.Errorf("without history: %+v, told %d", past, told)
	}
}

func TestPressureRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		past := &pastMemory{room: 100, bytes: 100}
		var told []int64
		p := &pressure{history: past, limit: 1000, told: 1000, inUse: func() int64 { return 10 }, setLimit: func(limit int64) { told = append(told, limit) }}
		ctx, cancel := context.WithTimeout(t.Context(), 3*pressureInterval)
		defer cancel()
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
		if want := []int64{900, 1000}; !slices.Equal(told, want) {
			t.Errorf("Go was told %v, want %v: what it had comes back at the end", told, want)
		}
	})
	unlimited := &pressure{limit: math.MaxInt64}
	if err := unlimited.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestInUse holds that the figures that are read exist, and mean about what they are
// taken for.
func TestInUse(t *testing.T) {
	if n := inUse(); n < 1<<18 || n > 1<<32 {
		t.Errorf("%d bytes are in use", n)
	}
}

func TestContainerLimit(t *testing.T) {
	for _, test := range []struct {
		file, text string
		want       int64
		ok         bool
	}{
		{"memory.max", "268435456\n", 268435456, true},
		{"memory.max", "max\n", 0, false},
		{"memory/memory.limit_in_bytes", "536870912\n", 536870912, true},
		{"memory/memory.limit_in_bytes", "9223372036854771712\n", 9223372036854771712, false},
		{"else", "1\n", 0, false},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, test.file)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := containerLimit(dir); got != test.want || ok != test.ok {
			t.Errorf("%s %q: %d, %v", test.file, test.text, got, ok)
		}
	}
}
