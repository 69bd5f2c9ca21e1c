// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, os.Args[1:])
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run carries out one command line.
func run(ctx context.Context, w io.Writer, args []string) error {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	var opts upOptions
	command := func(context.Context, io.Writer) error {
		return errors.New("usage: go run ./hack/dev up|down|status|env")
	}
	switch name {
	case "up":
		flags.StringVar(&opts.minor, "kubernetes", cluster.Minors[0], "Kubernetes minor version: "+strings.Join(cluster.Minors, " or "))
		flags.StringVar(&opts.node, "node", simulatedNodes, "where nodes come from: "+strings.Join(nodeKinds(), " or "))
		flags.StringVar(&opts.sink, "sink", "", "where samples are shipped to: "+prometheusSink+" or "+noSink+"; empty is as it is, and at first "+noSink)
		command = func(ctx context.Context, w io.Writer) error { return up(ctx, w, opts) }
	case "down":
		command = down
	case "status":
		command = status
	case "env":
		command = printEnv
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return command(ctx, w)
}
