// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// constant is an API server with constant answers, as a process of its own; see
// package constant. The answers are the files all.json, all.protobuf, one.json
// and one.protobuf of a directory; without a directory it has none.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	genericapiserver "k8s.io/apiserver/pkg/server"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/constant"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	var o constant.Options
	flag.IntVar(&o.Port, "port", 0, "port")
	flag.StringVar(&o.CertDir, "cert-dir", "", "where the certificate is written to")
	flag.StringVar(&o.Kubeconfig, "kubeconfig", "", "how to reach kube-apiserver")
	bodies := flag.String("bodies", "", "directory of the answers")
	flag.Parse()
	if *bodies != "" {
		for name, body := range map[string]*[]byte{
			"all.json": &o.Bodies.All.JSON, "all.protobuf": &o.Bodies.All.Protobuf,
			"one.json": &o.Bodies.One.JSON, "one.protobuf": &o.Bodies.One.Protobuf,
		} {
			var err error
			if *body, err = os.ReadFile(filepath.Join(*bodies, name)); err != nil {
				return err
			}
		}
	}
	return constant.Run(genericapiserver.SetupSignalContext(), o)
}
