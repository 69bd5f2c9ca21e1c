// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// defaultGrace is how long a process may take to end after SIGTERM.
	defaultGrace = 10 * time.Second
	// pollInterval is how often an adopted process is looked at, which is not
	// our child and so cannot be waited for.
	pollInterval = 20 * time.Millisecond
)

// Spec says how to run a process. It can be stored as JSON.
type Spec struct {
	// Name names the process in errors. Required.
	Name string
	// Argv is the path of the program and its arguments. Required.
	Argv []string
	// Env is added to the environment of the calling program, as "KEY=value".
	Env []string
	// LogFile gets what the process writes; it is appended to. Required.
	LogFile string
	// Detach lets the process outlive the program that starts it.
	Detach bool
	// Grace is how long the process may take to end after SIGTERM before it is
	// killed. 0 means 10 s.
	Grace time.Duration
}

// ID tells a running process from all others, also from a later one with the
// same number. It can be stored as JSON.
type ID struct {
	Pid int
	// Born is the time of the process's start in the system's own notation.
	Born string
}

// Running reports whether the process exists and has not ended.
func (id ID) Running() bool {
	born, ok := bornAt(id.Pid)
	return ok && born == id.Born
}

// Process is one run of a [Spec]. Its methods are safe for concurrent use.
type Process struct {
	spec Spec
	id   ID
	// logStart is where this run's output begins in the log file.
	logStart int64

	// done is closed when the child has ended and exit is set. It is nil for an
	// adopted process.
	done chan struct{}
	exit error

	mu struct {
		sync.Mutex
		stopping bool // Stop or Kill was called, so its end is no failure
	}
}

// Start runs the process. It returns once the program is executing; whether it
// works is for the caller to find out.
func Start(spec Spec) (*Process, error) {
	log, err := os.OpenFile(spec.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: open its log: %w", spec.Name, err)
	}
	defer log.Close()
	fmt.Fprintf(log, "=== %s start: %s\n", time.Now().UTC().Format(time.RFC3339), strings.Join(spec.Argv, " "))
	p := &Process{spec: spec, done: make(chan struct{})}
	if info, err := log.Stat(); err == nil {
		p.logStart = info.Size()
	}
	//nolint:gosec // Running the given command is what this package is for.
	cmd := exec.Command(spec.Argv[0], spec.Argv[1:]...)
	cmd.Env = append(os.Environ(), spec.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attributes(spec.Detach)

	started := make(chan error)
	go func() {
		// The kernel's parent-death signal is sent when the *thread* that made
		// the child ends, so the thread is kept until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.id.Pid = cmd.Process.Pid
			p.id.Born, _ = bornAt(p.id.Pid)
		}
		started <- err
		if err == nil {
			p.exit = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	return p, nil
}

// Adopt takes over a process that another program has started with the same
// spec. It reports false if the process has ended.
func Adopt(spec Spec, id ID) (*Process, bool) {
	return &Process{spec: spec, id: id}, id.Running()
}

// ID returns what [Adopt] needs.
func (p *Process) ID() ID { return p.id }

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	if p.done == nil {
		return p.id.Running()
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Failure returns nil while the process runs and after it was stopped, and an
// error that shows its command and last log lines once it has ended by itself.
func (p *Process) Failure() error {
	p.mu.Lock()
	stopping := p.mu.stopping
	p.mu.Unlock()
	if stopping || p.Running() {
		return nil
	}
	err := errors.New("it ended by itself")
	if p.done != nil && p.exit != nil {
		err = p.exit
	}
	return p.Explain(err)
}

// Explain wraps an error about the process with its name, its command and the
// last lines of its log.
func (p *Process) Explain(err error) error {
	tail := tailOf(p.spec.LogFile, p.logStart)
	if tail == "" {
		tail = "    (empty)"
	}
	return fmt.Errorf("%s: %w\n  command: %s\n  last lines of %s:\n%s",
		p.spec.Name, err, strings.Join(p.spec.Argv, " "), p.spec.LogFile, tail)
}

// Stop ends the process: SIGTERM, and SIGKILL when the grace is over or ctx is
// done. It returns once the process has ended; a process that has already
// ended is no error.
func (p *Process) Stop(ctx context.Context) error {
	grace := p.spec.Grace
	if grace == 0 {
		grace = defaultGrace
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	p.signal(syscall.SIGTERM)
	if p.wait(ctx.Done()) {
		p.killGroup()
		return nil
	}
	return p.Kill()
}

// Kill ends the process and what it has started at once, with SIGKILL.
func (p *Process) Kill() error {
	p.signal(syscall.SIGKILL)
	expired := make(chan struct{})
	timer := time.AfterFunc(defaultGrace, func() { close(expired) })
	defer timer.Stop()
	if !p.wait(expired) {
		return fmt.Errorf("kill %s: process %d is still there", p.spec.Name, p.id.Pid)
	}
	p.killGroup()
	return nil
}

// signal sends a signal that ends the process, if it is still there.
func (p *Process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// A process that died earlier keeps its failure.
	if !p.Running() {
		return
	}
	p.mu.stopping = true
	_ = syscall.Kill(p.id.Pid, sig) // it may have ended just now
}

// killGroup ends children that the ended process has left behind. Every process
// leads a group of its own, whose number stays taken while a member is alive.
func (p *Process) killGroup() {
	_ = syscall.Kill(-p.id.Pid, syscall.SIGKILL)
}

// wait blocks until the process has ended, or reports false when the channel is
// closed.
func (p *Process) wait(expired <-chan struct{}) bool {
	if p.done != nil {
		select {
		case <-p.done:
			return true
		case <-expired:
			return false
		}
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for p.Running() {
		select {
		case <-tick.C:
		case <-expired:
			return false
		}
	}
	return true
}
