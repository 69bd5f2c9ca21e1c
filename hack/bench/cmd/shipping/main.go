// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// shipping ships samples through a sink, as a process of its own, and prints what it
// took as JSON; see package shipping.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/shipping"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var o shipping.Options
	flag.StringVar(&o.URL, "url", "", "where samples are posted to")
	flag.StringVar(&o.Dir, "dir", "", "directory of the queue")
	flag.StringVar(&o.Recording, "recording", "", "directory of a real kubelet's answers")
	flag.IntVar(&o.Nodes, "nodes", 6, "number of kubelets, of 1,771 series each")
	flag.IntVar(&o.Samples, "samples", 1_000_000, "number of samples")
	flag.IntVar(&o.Rate, "rate", 0, "samples a second; 0 is as many as go")
	flag.Parse()
	r, err := shipping.Run(ctx, o)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
