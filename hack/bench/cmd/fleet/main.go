// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// fleet is the fake kubelets of a benchmark as a process of its own; see
// package fleet. It writes the authority of their certificates to
// DIR/kubelet-ca.crt before it listens, and serves until it is interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/fleet"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
	"github.com/metrics-apiserver/metrics-apiserver/hack/pki"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var w world.World
	flag.IntVar(&w.Nodes, "nodes", 1, "number of nodes")
	flag.IntVar(&w.Pods, "pods", 1, "pods of a node")
	flag.IntVar(&w.Containers, "containers", 1, "containers of a pod")
	flag.BoolVar(&w.Selecting, "selecting", false, "kubelets leave out families that a request does not name, as those of Kubernetes 1.37")
	epoch := flag.Int64("epoch", time.Now().UnixMilli(), "when the simulation began, in Unix milliseconds")
	port := flag.Int("port", 0, "port of all kubelets")
	control := flag.String("control", "127.0.0.1:0", "address of the control API")
	dir := flag.String("dir", ".", "where the authority is written to")
	recorded := flag.String("recording", "", "directory of a real kubelet's answers, for the sources of custom metrics; empty is: there are none")
	flag.Parse()
	w.Epoch = time.UnixMilli(*epoch)

	ca, err := pki.NewCA(*dir, "kubelet-ca")
	if err != nil {
		return err
	}
	var recording *fleet.Recording
	if *recorded != "" {
		if recording, err = fleet.ReadRecording(*recorded); err != nil {
			return err
		}
	}
	f, err := fleet.New(w, ca, recording)
	if err != nil {
		return err
	}
	kubelets, err := fleet.Listen(ctx, *port)
	if err != nil {
		return err
	}
	controls, err := new(net.ListenConfig).Listen(ctx, "tcp", *control)
	if err != nil {
		return fmt.Errorf("listen for the control API: %w", err)
	}
	server := &http.Server{Handler: f.Control(), ReadHeaderTimeout: time.Minute}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.Serve(ctx, kubelets) })
	group.Go(func() error {
		defer context.AfterFunc(ctx, func() { _ = server.Close() })()
		if err := server.Serve(controls); ctx.Err() == nil {
			return fmt.Errorf("serve the control API: %w", err)
		}
		return nil
	})
	return group.Wait()
}
