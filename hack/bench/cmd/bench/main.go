// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// bench measures the product against metrics-server and against the floors, and
// prints and stores a table; see package run. `make bench` runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/run"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := bench(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, args []string) error {
	o := run.Defaults()
	// It sets the others' defaults, so it is looked for first.
	if slices.Contains(args, "-quick") || slices.Contains(args, "--quick") {
		o = run.Quick()
	}
	fs := flag.NewFlagSet("bench", flag.ExitOnError)
	o.AddFlags(fs)
	fs.Bool("quick", false, "50 nodes and 20 s, to see that all works")
	keep := fs.String("dir", "", "directory for the run's files, which are kept; empty is a temporary one")
	if err := fs.Parse(args); err != nil {
		return err
	}
	o.Progress = os.Stderr
	dir := *keep
	if dir == "" {
		temporary, err := os.MkdirTemp("", "metrics-apiserver-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temporary)
		dir = temporary
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	r, err := run.Run(ctx, o, dir)
	if err != nil {
		return err
	}
	fmt.Print(r.Markdown())
	if o.Out == "" {
		return nil
	}
	file, err := r.Store(o.Out, o.Name(r.Date))
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "stored", file)
	return nil
}
