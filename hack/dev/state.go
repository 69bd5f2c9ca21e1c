// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/metrics-apiserver/metrics-apiserver/hack/filelock"
	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

// stateHome returns the directory that holds the clusters of all checkouts.
func stateHome() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "metrics-apiserver"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the state directory: %w (set XDG_STATE_HOME or HOME)", err)
	}
	return filepath.Join(home, ".local", "state", "metrics-apiserver"), nil
}

// stateDir returns the directory of this checkout's cluster.
func stateDir() (string, error) {
	home, err := stateHome()
	if err != nil {
		return "", err
	}
	root, err := toolchain.Root()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, dirName(root)), nil
}

// dirName names the cluster of the checkout at root: readable, and distinct for
// checkouts whose directories have the same name.
func dirName(root string) string {
	sum := sha256.Sum256([]byte(root))
	return filepath.Base(root) + "-" + hex.EncodeToString(sum[:4])
}

// lockState keeps two commands from changing the cluster at once.
func lockState(ctx context.Context, w io.Writer, dir string) (release func(), err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	return filelock.Acquire(ctx, w, dir+".lock", "changes the cluster in "+dir)
}

// removeState removes the cluster's files, and the directory of all clusters
// if it was the last.
func removeState(dir string) error {
	for _, path := range []string{dir, dir + ".lock"} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove the cluster's files: %w", err)
		}
	}
	// Fails, as it should, while other checkouts have clusters.
	_ = os.Remove(filepath.Dir(dir))
	return nil
}

// kindFile holds the kind of nodes that the cluster was started with.
func kindFile(dir string) string { return filepath.Join(dir, "nodes") }
