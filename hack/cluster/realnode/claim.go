// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package realnode

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

const (
	// stateFile says what this machine's real node has made. It is of the
	// machine and not of the cluster, so that what a killed program left can be
	// cleared away wherever its directory was.
	stateFile = "/run/metrics-apiserver-node.json"
	// claimAddress is an abstract socket: listening on it is a claim that ends
	// with the process that made it, and it leaves no file.
	claimAddress = "@metrics-apiserver-real-node"
	// containerdSocket is where containerd listens. The kubelet finds the
	// figures of containers at no other place.
	containerdSocket = "/run/containerd/containerd.sock"
)

// ErrTaken is returned by [Start] where another real node, or another containerd,
// runs on this machine.
var ErrTaken = errors.New("this machine's one real node is taken")

// state is what is needed to take a node over, or to clear it away.
type state struct {
	Dir      string
	NodeName string
	Network  Network
	// Tools are the paths of containerd, ctr and kubelet.
	Tools map[string]string
	// Absent are the directories outside Dir that did not exist before.
	Absent []string
}

func (s state) containerdDir() string { return filepath.Join(s.Dir, "containerd") }

func (s state) kubeletDir() string { return filepath.Join(s.Dir, "kubelet") }

// podLogs is beside the logs of the components and stays with them.
func (s state) podLogs() string { return filepath.Join(s.Dir, "logs", "pods") }

// cgroup is the parent of all pods' cgroups, as a path below each hierarchy.
func (s state) cgroup() string { return "/" + s.Network.Namespace }

// claim takes the machine's one place for a real node. The claim ends when it
// is closed, or with this process.
func claim() (net.Listener, error) {
	l, err := net.Listen("unix", claimAddress)
	if err == nil {
		return l, nil
	}
	holder := "another program"
	if s, err := readState(); err == nil {
		holder += " (the cluster in " + s.Dir + ")"
	}
	return nil, fmt.Errorf("%w: by %s: %w", ErrTaken, holder, err)
}

// containerdAnswers reports whether a containerd listens on the socket.
func containerdAnswers() bool {
	conn, err := net.Dial("unix", containerdSocket)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// readState returns the state that was written last. The error is
// fs.ErrNotExist if there is nothing to clear away.
func readState() (*state, error) {
	b, err := os.ReadFile(stateFile)
	if err != nil {
		return nil, fmt.Errorf("read the real node's state: %w", err)
	}
	s := new(state)
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("read the real node's state %s: %w", stateFile, err)
	}
	return s, nil
}

func (s state) write() error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("write the real node's state: %w", err)
	}
	if err := os.WriteFile(stateFile+".new", b, 0o600); err != nil {
		return fmt.Errorf("write the real node's state: %w", err)
	}
	if err := os.Rename(stateFile+".new", stateFile); err != nil {
		return fmt.Errorf("write the real node's state: %w", err)
	}
	return nil
}

// forget removes the state: there is nothing left to clear away.
func forget() error {
	if err := os.Remove(stateFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the real node's state: %w", err)
	}
	return nil
}
