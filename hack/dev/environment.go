// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

// simulatedNodes is the kind of nodes that needs nothing of the machine.
const simulatedNodes = "simulated"

// environment is what depends on where the nodes come from.
type environment interface {
	// start starts a detached cluster in a directory that holds none.
	start(ctx context.Context, opts cluster.Options) (*cluster.Cluster, error)
	// prepare makes the nodes ready to run the sample workload. Like deploy, it
	// is called on a new cluster and on one that runs already.
	prepare(ctx context.Context, w io.Writer, c *cluster.Cluster) error
	// sample returns the manifest of the sample workload. It is applied before
	// our server is deployed, which then has something to measure.
	sample() []byte
	// load returns a command that puts more load on the sample workload, so
	// that its HPA scales it up.
	load() string
	// deploy brings our server to the state of the checkout, has it ship to the
	// receiver where that is not nil, and returns when its APIs are available.
	deploy(ctx context.Context, w io.Writer, c *cluster.Cluster, receiver *prometheus) error
	// stop ends what stopping the cluster's components does not. It is called
	// after that, and also where there is no cluster any more.
	stop(ctx context.Context, dir string) error
}

// environments returns the environments by the name of their kind of nodes.
func environments() map[string]environment {
	return map[string]environment{
		simulatedNodes: simulated{},
		realNodes:      realNode{},
	}
}

// nodeKinds returns the kinds of nodes, sorted.
func nodeKinds() []string {
	return slices.Sorted(maps.Keys(environments()))
}

// environmentOf returns the environment of a kind of nodes.
func environmentOf(kind string) (environment, error) {
	if env, ok := environments()[kind]; ok {
		return env, nil
	}
	return nil, fmt.Errorf("there are no nodes of kind %q (there are %s)", kind, strings.Join(nodeKinds(), ", "))
}

// stopAll calls stop of all environments: what is left of a cluster may not say
// which it was of.
func stopAll(ctx context.Context, dir string) error {
	var errs []error
	for _, kind := range nodeKinds() {
		errs = append(errs, environments()[kind].stop(ctx, dir))
	}
	return errors.Join(errs...)
}
