// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package realnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/image"
	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

// Node is a running cluster with its one real node.
type Node struct {
	state        state
	readyTimeout time.Duration
	cluster      *cluster.Cluster
	// lock is the claim to the machine, nil for a detached node.
	lock net.Listener
}

// Start installs and builds what it needs and starts a cluster with a real
// node, which has the images of package image for tests. It returns when pods
// can run. On an error nothing is left but logs.
func Start(ctx context.Context, opts Options) (*Node, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	pluginDir, err := require(ctx, opts.Progress)
	if err != nil {
		return nil, err
	}
	tools, err := buildTools(ctx, opts.Progress, opts.Minor)
	if err != nil {
		return nil, err
	}
	lock, err := claim()
	if err != nil {
		return nil, err
	}
	n := &Node{readyTimeout: opts.ReadyTimeout, lock: lock}
	n.state = state{Dir: opts.Dir, NodeName: opts.NodeName, Tools: tools}
	if err := n.start(ctx, opts, pluginDir); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if opts.Detach {
		n.lock = nil
		if err := lock.Close(); err != nil {
			return nil, errors.Join(fmt.Errorf("start real node: %w", err), n.Stop(context.WithoutCancel(ctx)))
		}
	}
	return n, nil
}

// buildTools builds what the node runs beside the control plane.
func buildTools(ctx context.Context, w io.Writer, minor string) (map[string]string, error) {
	tools, err := toolchain.Build(ctx, w, "containerd", Containerd, "containerd-shim-runc-v2", "ctr")
	if err != nil {
		return nil, err
	}
	kubelet, err := toolchain.Build(ctx, w, toolchain.Kubernetes(minor), Kubelet)
	if err != nil {
		return nil, err
	}
	tools[Kubelet] = kubelet[Kubelet]
	return tools, nil
}

// start does what Start does once the machine is claimed.
func (n *Node) start(ctx context.Context, opts Options, pluginDir string) error {
	if err := makeRoom(ctx, opts.Progress); err != nil {
		return err
	}
	var err error
	if n.state.Network, err = planNetwork(opts.Name); err != nil {
		return err
	}
	n.state.Absent = absentDirs()
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return fmt.Errorf("start real node: %w", err)
	}
	// Before anything is made that would have to be cleared away.
	if err := n.state.write(); err != nil {
		return err
	}
	if err := n.boot(ctx, opts, pluginDir); err != nil {
		return errors.Join(fmt.Errorf("start real node: %w", err), n.state.clear(context.WithoutCancel(ctx), n.cluster))
	}
	return nil
}

// makeRoom clears away what a killed program has left, and refuses to start
// beside what runs.
func makeRoom(ctx context.Context, w io.Writer) error {
	s, err := readState()
	running := containerdAnswers()
	switch {
	case errors.Is(err, fs.ErrNotExist) && running:
		return fmt.Errorf("%w: another containerd serves %s, and a kubelet knows no other place; stop it first (systemctl stop containerd)", ErrTaken, containerdSocket)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case running:
		return fmt.Errorf("%w: by the cluster in %s; stop it first", ErrTaken, s.Dir)
	}
	fmt.Fprintf(w, "clearing away what a real node has left that was killed (%s)\n", s.Dir)
	// Its processes are found by its network namespace, so the cluster's own
	// list of them is not needed.
	return s.clear(ctx, nil)
}

// boot makes the network and starts everything in it.
func (n *Node) boot(ctx context.Context, opts Options, pluginDir string) error {
	archive := filepath.Join(opts.Dir, "test-images.tar")
	defer os.Remove(archive)
	if err := (image.Builder{Progress: opts.Progress}).WriteTestImages(ctx, archive); err != nil {
		return err
	}
	if err := n.state.Network.create(ctx); err != nil {
		return err
	}
	if err := createCgroup(n.state.cgroup()); err != nil {
		return err
	}
	var err error
	if n.cluster, err = cluster.Start(ctx, opts.clusterOptions(n.state.Network)); err != nil {
		return err
	}
	begin := time.Now()
	if err := n.startContainerd(ctx, pluginDir); err != nil {
		return err
	}
	if err := n.ImportImage(ctx, archive); err != nil {
		return err
	}
	if err := n.startKubelet(ctx); err != nil {
		return err
	}
	fmt.Fprintf(opts.Progress, "node %s (kubelet and containerd) is ready after %v at %s\n",
		n.Name(), time.Since(begin).Round(100*time.Millisecond), n.Address())
	return nil
}

// Open takes over the detached cluster whose node [Start] has started. The
// error is [cluster.ErrNoCluster] if the directory has none. The writer gets
// what [Options.Progress] would.
func Open(dir string, progress io.Writer) (*Node, error) {
	opts, err := Options{Dir: dir, Progress: progress}.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := readState()
	if errors.Is(err, fs.ErrNotExist) || err == nil && s.Dir != opts.Dir {
		return nil, fmt.Errorf("open the real node of %s: %w", opts.Dir, cluster.ErrNoCluster)
	}
	if err != nil {
		return nil, err
	}
	c, err := cluster.Open(opts.Dir, opts.Progress)
	if err != nil {
		return nil, err
	}
	if _, ok := c.Component(Kubelet); !ok {
		return nil, fmt.Errorf("open the real node of %s: it was not started completely; it has to be cleared away first", opts.Dir)
	}
	return &Node{state: *s, readyTimeout: opts.ReadyTimeout, cluster: c}, nil
}

// Stop ends the cluster and its pods and removes all but the logs.
func (n *Node) Stop(ctx context.Context) error {
	err := n.state.clear(ctx, n.cluster)
	if n.lock != nil {
		err = errors.Join(err, n.lock.Close())
	}
	return err
}

// Cluster returns the control plane, whose Stop is not to be called.
func (n *Node) Cluster() *cluster.Cluster { return n.cluster }

// Name returns the name of the Node object.
func (n *Node) Name() string { return n.state.NodeName }

// Address returns the IP address of the node, which this machine reaches, and
// at which kube-apiserver and the kubelet listen.
func (n *Node) Address() string { return n.state.Network.NodeAddress.String() }
