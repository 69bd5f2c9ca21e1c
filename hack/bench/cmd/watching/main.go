// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// watching watches Nodes and Pods and discards them, as a process of its own
// whose CPU time is measured; see package watching. It runs until it is
// interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/watching"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	kubeconfig := flag.String("kubeconfig", "", "how to reach kube-apiserver")
	flag.Parse()
	err := watching.Run(ctx, *kubeconfig)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
