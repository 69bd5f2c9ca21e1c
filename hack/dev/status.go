// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

// openRunning takes over the cluster of this checkout.
func openRunning(w io.Writer) (*cluster.Cluster, error) {
	dir, err := stateDir()
	if err != nil {
		return nil, err
	}
	c, err := cluster.Open(dir, w)
	if err != nil {
		return nil, fmt.Errorf("nothing is up (%w): `make up` first", err)
	}
	return c, nil
}

// status says what runs. The error says what does not and should.
func status(ctx context.Context, w io.Writer) error {
	c, err := openRunning(w)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Kubernetes %s at %s\n", c.Minor(), c.Server())
	if !c.Whole() {
		return errors.New("its start was interrupted: `make up` starts it anew, `make down` ends it")
	}
	var ended []string
	for _, name := range c.Names() {
		if pid := c.Pid(name); pid != 0 {
			fmt.Fprintf(w, "  %-24s process %-8d %s\n", name, pid, c.LogPath(name))
		} else {
			fmt.Fprintf(w, "  %-24s not running      %s\n", name, c.LogPath(name))
			ended = append(ended, name)
		}
	}
	if len(ended) > 0 {
		return fmt.Errorf("not running: %s (`make up` starts them again)", strings.Join(ended, ", "))
	}
	if err := c.Check(ctx); err != nil {
		return err
	}
	return printNext(w, c)
}

// printEnv prints what `eval` in a shell needs to use the cluster.
func printEnv(_ context.Context, w io.Writer) error {
	c, err := openRunning(io.Discard)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "export KUBECONFIG=%q PATH=%q:\"$PATH\"\n", c.Kubeconfig(), filepath.Join(c.Dir(), "bin"))
	return err
}
