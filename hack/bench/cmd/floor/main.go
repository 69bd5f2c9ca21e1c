// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// floor gets the documents of all fake kubelets and discards them, as a process
// of its own whose CPU time is measured; see package floor. It runs until it is
// interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/floor"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var o floor.Options
	flag.IntVar(&o.World.Nodes, "nodes", 1, "number of nodes")
	flag.IntVar(&o.Port, "port", 10250, "port of all kubelets")
	flag.DurationVar(&o.Resolution, "resolution", 15*time.Second, "time between two requests to a node")
	flag.BoolVar(&o.Alone, "alone", false, "ask each node at a moment of its own, and not in groups")
	flag.StringVar(&o.CAFile, "ca", "", "file of the kubelets' authority")
	flag.StringVar(&o.TokenFile, "token", "", "file of the token")
	flag.Func("document", "path and query of a document to get of each node; may be repeated (default "+floor.Resource+" alone)", func(s string) error {
		o.Documents = append(o.Documents, s)
		return nil
	})
	transport := flag.String("transport", string(floor.HTTP1), fmt.Sprint("one of ", floor.Transports()))
	flag.Parse()
	o.Transport = floor.Transport(*transport)
	err := floor.Run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
