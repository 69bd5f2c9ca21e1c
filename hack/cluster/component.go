// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/process"
)

// readyPoll is how often a starting component is asked whether it is ready.
const readyPoll = 50 * time.Millisecond

// stopGrace is how long a component may take to end after SIGTERM.
const stopGrace = 5 * time.Second

// Component is a process of a cluster. It can be stored as JSON.
type Component struct {
	// Name is unique in the cluster; the log file is named by it. Required.
	Name string
	// Argv is the path of the program and its arguments. Required.
	Argv []string
	// Env is added to the environment, as "KEY=value".
	Env []string
	// Health is an https URL that answers 200 once the component is ready. Its
	// certificate must be of the cluster's authority. "" means that the
	// component is ready when it runs.
	Health string
}

// member is a component with its current run.
type member struct {
	Component
	spec process.Spec

	mu  sync.Mutex
	run *process.Process // nil if it was stopped or never started
}

// running returns the current run, or nil if the member was stopped.
func (m *member) running() *process.Process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.run
}

func (m *member) setRun(p *process.Process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.run = p
}

// Add starts a component and makes it a part of the cluster. It returns when
// the component is ready. A component of the same name must not be running; one
// that is stopped is replaced.
func (c *Cluster) Add(ctx context.Context, component Component) error {
	m := &member{Component: component, spec: process.Spec{
		Name:    component.Name,
		Argv:    c.opts.Wrap(component.Argv),
		Env:     component.Env,
		LogFile: c.LogPath(component.Name),
		Detach:  c.opts.Detach,
		Grace:   stopGrace,
	}}
	if err := c.addMember(m); err != nil {
		return err
	}
	return c.startMember(ctx, m)
}

// addMember puts the member into the list, in the place of its predecessor
// where there is one.
func (c *Cluster) addMember(m *member) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, old := range c.mu.members {
		if old.Name != m.Name {
			continue
		}
		if p := old.running(); p != nil && p.Running() {
			return fmt.Errorf("add %s: it is already running", m.Name)
		}
		c.mu.members[i] = m
		return nil
	}
	c.mu.members = append(c.mu.members, m)
	return nil
}

// members returns a copy of the list.
func (c *Cluster) members() []*member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*member(nil), c.mu.members...)
}

func (c *Cluster) member(name string) (*member, error) {
	for _, m := range c.members() {
		if m.Name == name {
			return m, nil
		}
	}
	return nil, fmt.Errorf("the cluster has no component %q", name)
}

// Names returns the names of all components in the order in which they were
// added.
func (c *Cluster) Names() []string {
	var names []string
	for _, m := range c.members() {
		names = append(names, m.Name)
	}
	return names
}

// Component returns the component of the name, and whether there is one.
func (c *Cluster) Component(name string) (Component, bool) {
	m, err := c.member(name)
	if err != nil {
		return Component{}, false
	}
	return m.Component, true
}

// Process identifies the component's process, and says whether it runs.
func (c *Cluster) Process(name string) (process.ID, bool) {
	m, err := c.member(name)
	if err != nil {
		return process.ID{}, false
	}
	run := m.running()
	if run == nil {
		return process.ID{}, false
	}
	return run.ID(), true
}

// Running reports whether the component exists and its process has not ended.
func (c *Cluster) Running(name string) bool {
	m, err := c.member(name)
	if err != nil {
		return false
	}
	p := m.running()
	return p != nil && p.Running()
}

// Pid returns the number of the component's process, or 0 if it is stopped.
func (c *Cluster) Pid(name string) int {
	m, err := c.member(name)
	if err != nil {
		return 0
	}
	if p := m.running(); p != nil && p.Running() {
		return p.ID().Pid
	}
	return 0
}

// StopComponent ends one component as an operator would, with SIGTERM.
func (c *Cluster) StopComponent(ctx context.Context, name string) error {
	return c.end(name, func(p *process.Process) error { return p.Stop(ctx) })
}

// KillComponent ends one component as a crash would, with SIGKILL.
func (c *Cluster) KillComponent(name string) error {
	return c.end(name, (*process.Process).Kill)
}

func (c *Cluster) end(name string, how func(*process.Process) error) error {
	m, err := c.member(name)
	if err != nil {
		return err
	}
	p := m.running()
	if p == nil {
		return nil
	}
	if err := how(p); err != nil {
		return err
	}
	m.setRun(nil)
	return c.writeState()
}

// StartComponent starts a component that is stopped, killed or has ended, with
// the command it had. It returns when the component is ready.
func (c *Cluster) StartComponent(ctx context.Context, name string) error {
	m, err := c.member(name)
	if err != nil {
		return err
	}
	if p := m.running(); p != nil && p.Running() {
		return fmt.Errorf("start %s: it is already running", name)
	}
	return c.startMember(ctx, m)
}

// RestartComponent stops and starts a component.
func (c *Cluster) RestartComponent(ctx context.Context, name string) error {
	if err := c.StopComponent(ctx, name); err != nil {
		return err
	}
	return c.StartComponent(ctx, name)
}

// LogPath returns the path of a component's log.
func (c *Cluster) LogPath(name string) string {
	return filepath.Join(logDir(c.opts.Dir), name+".log")
}

// startMember runs the member's command and waits until it is ready.
func (c *Cluster) startMember(ctx context.Context, m *member) error {
	p, err := process.Start(m.spec)
	if err != nil {
		return err
	}
	m.setRun(p)
	if err := c.writeState(); err != nil {
		return err
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, c.opts.ReadyTimeout)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		if c.checkMember(ctx, m) == nil {
			return nil
		}
		if !p.Running() {
			// It may have ended after it was checked, and why it ended says
			// more than that its port is closed.
			return errors.Join(p.Failure(), ctx.Err())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if caller.Err() != nil {
				return fmt.Errorf("start %s: %w", m.Name, caller.Err())
			}
			return p.Explain(fmt.Errorf("not ready: %w", errors.Join(ctx.Err(), c.health(context.WithoutCancel(ctx), m))))
		}
	}
}

// checkMember returns nil if the member is stopped, or runs and is healthy.
func (c *Cluster) checkMember(ctx context.Context, m *member) error {
	p := m.running()
	if p == nil {
		return nil
	}
	if err := p.Failure(); err != nil {
		return err
	}
	if err := c.health(ctx, m); err != nil {
		return p.Explain(err)
	}
	return nil
}

func (c *Cluster) health(ctx context.Context, m *member) error {
	if m.Health == "" {
		return nil
	}
	return c.probe.get(ctx, m.Health)
}
