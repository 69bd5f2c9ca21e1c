// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

// down ends the cluster and removes its files.
func down(ctx context.Context, w io.Writer) error {
	dir, err := stateDir()
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(w, "Nothing is up.")
		return nil
	}
	release, err := lockState(ctx, w, dir)
	if err != nil {
		return err
	}
	defer release()
	c, err := cluster.Open(dir, w)
	switch {
	case err == nil:
		if err := end(ctx, c); err != nil {
			return err
		}
	case !errors.Is(err, cluster.ErrNoCluster):
		return err
	}
	if err := stopAll(ctx, dir); err != nil {
		return err
	}
	if err := removeState(dir); err != nil {
		return err
	}
	fmt.Fprintln(w, "Down: all processes have ended, and the cluster's files are removed.")
	cache, err := toolchain.CacheDir()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "The compiled tools stay for the next time; to remove them: rm -rf %s\n", filepath.Join(cache, "tools"))
	return nil
}

// end ends all components of the cluster.
func end(ctx context.Context, c *cluster.Cluster) error {
	// The error also tells of components that had ended by themselves, which
	// matters no longer.
	err := c.Stop(ctx)
	for _, name := range c.Names() {
		if c.Running(name) {
			return fmt.Errorf("%s cannot be ended: %w", name, err)
		}
	}
	return nil
}
