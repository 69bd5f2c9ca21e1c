// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// options are the loads that the command line asks for; zero is none.
type options struct {
	cpu       millicores
	memory    byteSize
	serve     string
	fetch     string
	fetchRate byteSize
	write     string
	writeRate byteSize
	writeSize byteSize
	exitAfter time.Duration
	exitCode  int
}

// errExit ends the workload because its time is over.
var errExit = errors.New("the time to exit has come")

func main() {
	var o options
	flag.Var(&o.cpu, "cpu", "CPU to burn, as in 50m or 1500m")
	flag.Var(&o.memory, "memory", "memory to hold, as in 50Mi")
	flag.StringVar(&o.serve, "serve", "", "address to serve HTTP on")
	flag.StringVar(&o.fetch, "fetch", "", "URL to read over and over")
	o.fetchRate = 64 << 10
	flag.Var(&o.fetchRate, "fetch-rate", "bytes a second to read from -fetch")
	flag.StringVar(&o.write, "write", "", "file to write over and over")
	o.writeRate = 64 << 10
	flag.Var(&o.writeRate, "write-rate", "bytes a second to write to -write")
	o.writeSize = 8 << 20
	flag.Var(&o.writeSize, "write-size", "size at which -write starts at the file's beginning again")
	flag.DurationVar(&o.exitAfter, "exit-after", 0, "time after which to exit by itself; 0 is never")
	flag.IntVar(&o.exitCode, "exit-code", 0, "the exit code of -exit-after")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.run(ctx)
	stop()
	switch {
	case errors.Is(err, errExit):
		os.Exit(o.exitCode)
	case err != nil && !errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "workload:", err)
		os.Exit(70)
	}
}

// run puts the loads on until ctx is done or one of them fails.
func (o options) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	burn := newBurner(o.cpu)
	hold := new(holder)
	if err := hold.Hold(o.memory); err != nil {
		return err
	}
	group.Go(func() error { return burn.Run(ctx) })
	if o.serve != "" {
		s := &server{burn: burn, hold: hold}
		group.Go(func() error { return s.Run(ctx, o.serve) })
	}
	if o.fetch != "" {
		group.Go(func() error { return fetch(ctx, o.fetch, o.fetchRate) })
	}
	if o.write != "" {
		group.Go(func() error { return write(ctx, o.write, o.writeRate, o.writeSize) })
	}
	if o.exitAfter > 0 {
		group.Go(func() error {
			if err := sleep(ctx, o.exitAfter); err != nil {
				return err
			}
			return errExit
		})
	}
	return group.Wait()
}

// sleep waits for d or until ctx is done, which is an error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
