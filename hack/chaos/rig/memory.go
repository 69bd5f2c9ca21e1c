// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// ServeWithin is Serve in a container of so many bytes of memory, with GOMEMLIMIT at
// nine tenths of it, as the documentation says. enforced is whether the kernel holds
// the limit, which it does where this process may make a cgroup; Go keeps to its own
// in any case.
func (w *World) ServeWithin(t testing.TB, memory int64, flags ...string) (s *Server, enforced bool) {
	t.Helper()
	env := []string{"GOMEMLIMIT=" + strconv.FormatInt(memory*9/10, 10)}
	group, err := newMemoryGroup("chaos-"+w.Name, memory)
	if err != nil {
		t.Logf("no limit by the kernel: %v", err)
		return w.serve(t, nil, env, flags), false
	}
	// It is made before the server and so removed after it.
	t.Cleanup(func() { _ = os.Remove(group) })
	// The shell becomes the server, so that all that it ever has counts.
	join := []string{"/bin/sh", "-c", `echo $$ > "$0" && exec "$@"`, filepath.Join(group, "cgroup.procs")}
	return w.serve(t, join, env, flags), true
}

// newMemoryGroup makes a cgroup that may use so many bytes of memory: in version 2,
// or in version 1.
func newMemoryGroup(name string, memory int64) (dir string, err error) {
	const root = "/sys/fs/cgroup"
	dir, file := filepath.Join(root, "memory", name), "memory.limit_in_bytes"
	if controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers")); err == nil {
		if !strings.Contains(string(controllers), "memory") {
			return "", fmt.Errorf("make cgroup %s: there is no controller of memory", name)
		}
		dir, file = filepath.Join(root, name), "memory.max"
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
		return "", fmt.Errorf("make cgroup %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.FormatInt(memory, 10)), 0o644); err != nil {
		return "", fmt.Errorf("limit cgroup %s: %w", name, err)
	}
	return dir, nil
}

// Anonymous is how much memory the process has resident that is of no file, in bytes:
// what a limit of the kernel counts that it cannot take back.
func (s *Server) Anonymous() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Pid()))
	if err != nil {
		return 0, fmt.Errorf("read the memory of %s: %w", s.Name, err)
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	var kilobytes int64
	if _, err := fmt.Sscanf(rest, "%d kB", &kilobytes); err != nil {
		return 0, fmt.Errorf("read the memory of %s: %w", s.Name, err)
	}
	return kilobytes << 10, nil
}
