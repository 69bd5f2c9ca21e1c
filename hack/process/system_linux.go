// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// attributes makes the process lead a group of its own, so that a terminal's
// interrupt does not reach it, and, unless detached, end with its parent.
func attributes(detach bool) *syscall.SysProcAttr {
	if detach {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// bornAt returns when a process was started, in clock ticks since boot. It
// reports false if there is no such process or it has ended and waits to be
// reaped.
func bornAt(pid int) (string, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false
	}
	// The second field is the program's name in parentheses, and may itself
	// hold spaces and parentheses. After it come the state and, 19 fields on,
	// the start time.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 || bytes.Equal(fields[0], []byte("Z")) {
		return "", false
	}
	return string(fields[19]), true
}
