// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc, which is the same on all machines.
const tick = 10 * time.Millisecond

// CPU returns the CPU time, user and system, that a process has used.
func CPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read the CPU time of process %d: %w", pid, err)
	}
	// The second field is the program's name in parentheses; the eleventh and
	// twelfth after it are the times.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	var total time.Duration
	for _, i := range []int{11, 12} {
		if len(fields) <= i {
			return 0, fmt.Errorf("read the CPU time of process %d: %d fields", pid, len(fields))
		}
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the CPU time of process %d: %w", pid, err)
		}
		total += time.Duration(n) * tick
	}
	return total, nil
}

// Memory is the memory of a process in bytes.
type Memory struct {
	// RSS is all that is resident, Anonymous what of it is the process's own.
	RSS, Anonymous uint64
	// Peak is the most that was resident since the start or [ResetPeak].
	Peak uint64
}

// MemoryOf returns the memory of a process.
func MemoryOf(pid int) (m Memory, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[2] != "kB" {
			continue
		}
		kib, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			return m, fmt.Errorf("read the memory of process %d: %w", pid, err)
		}
		switch fields[0] {
		case "VmRSS:":
			m.RSS = kib << 10
		case "RssAnon:":
			m.Anonymous = kib << 10
		case "VmHWM:":
			m.Peak = kib << 10
		}
	}
	if m.RSS == 0 {
		return m, fmt.Errorf("read the memory of process %d: there is none", pid)
	}
	return m, nil
}

// ResetPeak makes the peak what is resident now.
func ResetPeak(pid int) error {
	const peak = "5"
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte(peak), 0); err != nil {
		return fmt.Errorf("reset the memory peak of process %d: %w", pid, err)
	}
	return nil
}

// Machine describes this machine.
type Machine struct {
	CPU    string
	CPUs   int
	Memory uint64
	Kernel string
}

// ThisMachine describes this machine as well as it can.
func ThisMachine(cpus int) Machine {
	m := Machine{CPU: field("/proc/cpuinfo", "model name"), CPUs: cpus}
	if kib, err := strconv.ParseUint(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		m.Memory = kib << 10
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
	return m
}

// field is the first value of a name in a file of "name: value" lines.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
