// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/metrics-apiserver/metrics-apiserver/hack/process"
)

// state is what a later program needs to take the cluster over. It is stored as
// JSON in the cluster's directory whenever a component starts or stops.
type state struct {
	Minor       string
	BindAddress string
	Server      string
	Kubectl     string
	Whole       bool
	Members     []memberState
}

// memberState is a component with its command as it was run, and the process.
type memberState struct {
	Component Component
	Spec      process.Spec
	Stopped   bool
	ID        process.ID
}

func stateFile(dir string) string { return filepath.Join(dir, "cluster.json") }

func (c *Cluster) writeState() error {
	s := state{
		Minor:       c.opts.Minor,
		BindAddress: c.opts.BindAddress,
		Server:      c.server,
		Kubectl:     c.kubectl,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Whole = c.mu.whole
	for _, m := range c.mu.members {
		ms := memberState{Component: m.Component, Spec: m.spec, Stopped: true}
		if p := m.running(); p != nil {
			ms.Stopped, ms.ID = false, p.ID()
		}
		s.Members = append(s.Members, ms)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("write the cluster's state: %w", err)
	}
	// Replaced in whole: a program that dies meanwhile must not leave a cluster
	// that nobody can stop.
	file := stateFile(c.opts.Dir)
	if err := os.WriteFile(file+".new", b, 0o600); err != nil {
		return fmt.Errorf("write the cluster's state: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("write the cluster's state: %w", err)
	}
	return nil
}

func readState(dir string) (*state, error) {
	b, err := os.ReadFile(stateFile(dir))
	if err != nil {
		return nil, fmt.Errorf("read the cluster's state: %w", err)
	}
	s := new(state)
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("read the cluster's state %s: %w", stateFile(dir), err)
	}
	return s, nil
}

// adopt takes the processes over.
func (s *state) adopt(dir string) []*member {
	var members []*member
	for _, ms := range s.Members {
		m := &member{Component: ms.Component, spec: ms.Spec}
		// The directory may have been moved; the log is where it is now.
		m.spec.LogFile = filepath.Join(logDir(dir), m.Name+".log")
		if !ms.Stopped {
			// One that has ended is kept too: its failure is to be reported.
			m.run, _ = process.Adopt(m.spec, ms.ID)
		}
		members = append(members, m)
	}
	return members
}
