// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/metrics-apiserver/metrics-apiserver/hack/image"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run writes the image that the arguments ask for and says where it is.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image", flag.ExitOnError)
	reference := flags.String("reference", image.ProductReference, "name and tag of the product's image")
	version := flags.String("version", image.DevelopmentVersion, "version stamped into the product")
	test := flags.Bool("test", false, "write the images of the real-node cluster instead of the product's")
	out := flags.String("o", "_output/metrics-apiserver.tar", "the archive to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b := image.Builder{Version: *version, Progress: os.Stderr}
	names := []string{*reference}
	var err error
	if *test {
		names = []string{image.PauseReference, image.WorkloadReference}
		err = b.WriteTestImages(ctx, *out)
	} else {
		err = b.WriteProduct(ctx, *reference, *out)
	}
	if err != nil {
		return err
	}
	fmt.Println("wrote", *out, "with", names)
	return nil
}
