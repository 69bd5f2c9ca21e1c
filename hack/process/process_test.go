// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func spec(t *testing.T, script string) Spec {
	t.Helper()
	return Spec{
		Name:    "sample",
		Argv:    []string{"/bin/sh", "-c", script},
		LogFile: filepath.Join(t.TempDir(), "sample.log"),
		Grace:   5 * time.Second,
	}
}

// start runs the script and waits until it has written "ready" to its log.
func start(t *testing.T, s Spec) *Process {
	t.Helper()
	p, err := Start(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	for tick := time.Tick(pollInterval); p.Running(); <-tick {
		if strings.Contains(tailOf(s.LogFile, p.logStart), "ready") {
			break
		}
	}
	return p
}

func TestFailureShowsCommandAndLog(t *testing.T) {
	p, err := Start(spec(t, "echo the disk is on fire >&2; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	p.wait(t.Context().Done())
	err = p.Failure()
	if err == nil {
		t.Fatal("an ended process has no failure")
	}
	for _, want := range []string{"sample: exit status 3", "command: /bin/sh -c", "    the disk is on fire"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("failure %q lacks %q", err, want)
		}
	}
}

func TestStopIsNoFailure(t *testing.T) {
	p := start(t, spec(t, "trap 'exit 1' TERM; echo ready; while :; do sleep 0.01; done"))
	if err := p.Failure(); err != nil {
		t.Errorf("failure while running: %v", err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.Running() {
		t.Error("running after Stop")
	}
	if err := p.Failure(); err != nil {
		t.Errorf("failure after Stop: %v", err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("second Stop: %v", err)
	}
}

func TestStopKillsTheStubbornAndItsChildren(t *testing.T) {
	s := spec(t, "trap '' TERM; sleep 1000 & echo child $!; echo ready; while :; do sleep 1000; done")
	s.Grace = 10 * time.Millisecond
	p := start(t, s)
	var child int
	if _, err := fmt.Sscanf(strings.TrimSpace(tailOf(s.LogFile, p.logStart)), "child %d", &child); err != nil {
		t.Fatal(err)
	}
	born, ok := bornAt(child)
	if !ok {
		t.Fatalf("child %d is not running", child)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	orphan := &Process{id: ID{Pid: child, Born: born}}
	if !orphan.wait(t.Context().Done()) {
		t.Errorf("child %d is left", child)
	}
}

func TestAdopt(t *testing.T) {
	s := spec(t, "echo ready; exec sleep 1000")
	s.Detach = true
	first := start(t, s)
	second, ok := Adopt(s, first.ID())
	if !ok {
		t.Fatal("a running process cannot be adopted")
	}
	// The same number with another start time is another process.
	if other := (ID{Pid: first.ID().Pid, Born: "1"}); other.Running() {
		t.Error("a process with another start time counts as the same")
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.wait(t.Context().Done())
	if _, ok := Adopt(s, first.ID()); ok {
		t.Error("an ended process can be adopted")
	}
}

func TestStartNamesAMissingProgram(t *testing.T) {
	s := spec(t, "")
	s.Argv = []string{"/no/such/program"}
	_, err := Start(s)
	if err == nil || !strings.Contains(err.Error(), "start sample") || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("error %v does not name the process and its program", err)
	}
}

func TestTail(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	fmt.Fprintf(&b, "%s\n", strings.Repeat("x", 2*tailWidth))
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(tailOf(file, 0), "\n")
	if len(lines) != tailLines {
		t.Fatalf("%d lines, want %d", len(lines), tailLines)
	}
	if got, want := lines[0], "    line 4981"; got != want {
		t.Errorf("first line %q, want %q", got, want)
	}
	if got := len(lines[tailLines-1]); got > tailWidth+10 {
		t.Errorf("the last line has %d bytes", got)
	}
	if got := tailOf(file, int64(b.Len())); got != "" {
		t.Errorf("tail of a run without output = %q", got)
	}
	if got := tailOf(file+"x", 0); !strings.Contains(got, "no such file") {
		t.Errorf("tail of no file = %q", got)
	}
}
