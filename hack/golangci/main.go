// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run checks every module, also after one has failed, and writes the findings
// to w.
func run(ctx context.Context, w io.Writer, args []string) error {
	paths, err := toolchain.Build(ctx, w, toolchain.GolangciLint, "golangci-lint")
	if err != nil {
		return err
	}
	root, err := toolchain.Root()
	if err != nil {
		return err
	}
	var failed error
	for _, module := range []string{".", "hack/bench", "hack/manifests", "hack/receivers", "hack/textparse"} {
		lint := exec.CommandContext(ctx, paths["golangci-lint"], append([]string{"run", "./..."}, args...)...)
		lint.Dir = filepath.Join(root, module)
		lint.Stdout, lint.Stderr = w, w
		if err := lint.Run(); err != nil {
			failed = fmt.Errorf("lint module %s: %w", module, err)
		}
	}
	return failed
}
