// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// counting is a receiver of remote-write that counts, as a process of its own; see
// package counting. It serves until it is interrupted.
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

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/counting"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	address := flag.String("listen", "127.0.0.1:0", "address to listen at")
	flag.Parse()
	err := run(ctx, *address)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen for samples: %w", err)
	}
	server := &http.Server{Handler: &counting.Receiver{}, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); ctx.Err() == nil {
		return fmt.Errorf("receive samples: %w", err)
	}
	return nil
}
