// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"io"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster/kwok"
)

// nodeCount is how many simulated nodes there are.
const nodeCount = 4

//go:embed sample.yaml
var simulatedSample []byte

// simulated is the environment of simulated nodes and pods, with our server as
// a process of this machine.
type simulated struct{}

func (simulated) start(ctx context.Context, opts cluster.Options) (*cluster.Cluster, error) {
	return cluster.Start(ctx, opts)
}

func (simulated) prepare(ctx context.Context, _ io.Writer, c *cluster.Cluster) error {
	if err := kwok.Start(ctx, c); err != nil {
		return err
	}
	return kwok.CreateNodes(ctx, c, kwok.Nodes(nodeCount)...)
}

func (simulated) sample() []byte { return simulatedSample }

func (simulated) load() string {
	return "kubectl annotate pods -l app=web --overwrite kwok.x-k8s.io/usage-cpu=400m"
}

func (simulated) deploy(ctx context.Context, w io.Writer, c *cluster.Cluster, receiver *prometheus) error {
	return deployProcess(ctx, w, c, receiver)
}

// stop has nothing to do: all there is are components.
func (simulated) stop(context.Context, string) error { return nil }
