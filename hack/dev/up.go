// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

// upOptions are the flags of `up`.
type upOptions struct {
	minor string // Kubernetes minor version
	node  string // kind of nodes
	sink  string // where samples are shipped to
}

// up starts what does not run, brings our server to the state of the checkout,
// and shows that it works.
func up(ctx context.Context, w io.Writer, opts upOptions) error {
	env, err := environmentOf(opts.node)
	if err != nil {
		return err
	}
	if err := checkSink(opts.sink); err != nil {
		return err
	}
	dir, err := stateDir()
	if err != nil {
		return err
	}
	release, err := lockState(ctx, w, dir)
	if err != nil {
		return err
	}
	defer release()
	start := time.Now()
	c, err := openOrStart(ctx, w, env, dir, opts)
	if err != nil {
		return err
	}
	if err := fill(ctx, w, env, c, opts.sink); err != nil {
		return fmt.Errorf("%w\n\nThe cluster is left running: mend and `make up` again, or `make down`", err)
	}
	fmt.Fprintf(w, "\nUp after %v. ", time.Since(start).Round(time.Second))
	return printNext(w, c)
}

// fill brings all that is in the cluster to the state of the checkout, and shows
// that it works.
func fill(ctx context.Context, w io.Writer, env environment, c *cluster.Cluster, asked string) error {
	if err := linkKubectl(c); err != nil {
		return err
	}
	if err := env.prepare(ctx, w, c); err != nil {
		return err
	}
	if err := c.Apply(ctx, env.sample()); err != nil {
		return fmt.Errorf("apply the sample workload: %w", err)
	}
	sink, err := chooseSink(c.Dir(), asked)
	if err != nil {
		return err
	}
	receiver, err := startSink(ctx, w, c, sink)
	if err != nil {
		return err
	}
	if err := env.deploy(ctx, w, c, receiver); err != nil {
		return err
	}
	if err := waitForMetrics(ctx, w, c); err != nil {
		return err
	}
	if err := show(ctx, w, c); err != nil || receiver == nil {
		return err
	}
	return showSink(ctx, w, receiver)
}

// openOrStart takes over the cluster that runs, or starts one.
func openOrStart(ctx context.Context, w io.Writer, env environment, dir string, opts upOptions) (*cluster.Cluster, error) {
	c, err := cluster.Open(dir, w)
	switch {
	case err == nil && c.Whole():
		return c, reuse(ctx, w, c, opts)
	case err == nil:
		// The program that was starting it was killed.
		if err := end(ctx, c); err != nil {
			return nil, err
		}
	case !errors.Is(err, cluster.ErrNoCluster):
		return nil, fmt.Errorf("%w\n\n`make down` removes it", err)
	}
	if err := stopAll(ctx, dir); err != nil {
		return nil, err
	}
	// Whatever a failed start has left, logs above all, was there to be read
	// until now.
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("remove the files of a cluster that ended: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the cluster's directory: %w", err)
	}
	if err := os.WriteFile(kindFile(dir), []byte(opts.node), 0o600); err != nil {
		return nil, fmt.Errorf("note the kind of nodes: %w", err)
	}
	return env.start(ctx, cluster.Options{Dir: dir, Minor: opts.minor, Detach: true, Progress: w})
}

// linkKubectl gives the user a kubectl of the cluster's version.
func linkKubectl(c *cluster.Cluster) error {
	link := filepath.Join(c.Dir(), "bin", "kubectl")
	if target, err := os.Readlink(link); err == nil && target == c.KubectlPath() {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
		return fmt.Errorf("link kubectl: %w", err)
	}
	// One that leads elsewhere is of tools that were built anew.
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("link kubectl: %w", err)
	}
	if err := os.Symlink(c.KubectlPath(), link); err != nil {
		return fmt.Errorf("link kubectl: %w", err)
	}
	return nil
}

// reuse makes sure that the cluster which runs is the one that is asked for,
// and whole.
func reuse(ctx context.Context, w io.Writer, c *cluster.Cluster, opts upOptions) error {
	kind, err := os.ReadFile(kindFile(c.Dir()))
	if err != nil {
		return fmt.Errorf("read the kind of nodes: %w", err)
	}
	if c.Minor() != opts.minor || string(kind) != opts.node {
		return fmt.Errorf("a cluster of Kubernetes %s with %s nodes is up, not %s with %s: `make down` first",
			c.Minor(), kind, opts.minor, opts.node)
	}
	started, err := c.StartEnded(ctx)
	if len(started) > 0 {
		fmt.Fprintf(w, "started again what had ended: %s\n", strings.Join(started, ", "))
	}
	return err
}
