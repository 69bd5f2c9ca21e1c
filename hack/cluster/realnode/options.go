// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package realnode

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

// The components that a node adds to its cluster, in the order of their start.
const (
	Containerd = "containerd"
	Kubelet    = "kubelet"
)

// apiPort is the port of kube-apiserver: that of the Service "kubernetes",
// because nothing translates the one into the other.
const apiPort = 443

// Options say what cluster to start around the node.
type Options struct {
	// Dir is the directory for all state, as in [cluster.Options]. Required.
	Dir string
	// Name tells this cluster from others on the machine: the network
	// namespace is named by it. It has at most 20 lower-case letters, digits
	// and dashes. "" means "real".
	Name string
	// NodeName is the name of the Node object. "" means "node-1".
	NodeName string
	// Minor is the Kubernetes minor version of all components, one of
	// [cluster.Minors]. "" means the first.
	Minor string
	// Detach lets the cluster outlive the program that starts it.
	Detach bool
	// Progress gets lines about what is being built and started. nil discards
	// them.
	Progress io.Writer
	// ExtraArgs are further flags of the control plane's components.
	ExtraArgs map[string][]string
	// ReadyTimeout is how long one component, and the node, may take to become
	// ready. 0 means two minutes.
	ReadyTimeout time.Duration
}

// nameFormat bounds names to what fits into those of interfaces and paths.
var nameFormat = regexp.MustCompile("^[a-z][a-z0-9-]{0,18}[a-z0-9]$")

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("real node options: Dir is empty")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("real node options: Dir: %w", err)
	}
	o.Dir = dir
	if o.Name == "" {
		o.Name = "real"
	}
	if !nameFormat.MatchString(o.Name) {
		return o, fmt.Errorf("real node options: Name: %q is not up to 20 lower-case letters, digits and dashes", o.Name)
	}
	if o.NodeName == "" {
		o.NodeName = "node-1"
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.Minor == "" {
		o.Minor = cluster.Minors[0]
	}
	if !slices.Contains(cluster.Minors, o.Minor) {
		return o, fmt.Errorf("real node options: Minor: Kubernetes %q is not supported", o.Minor)
	}
	if o.ReadyTimeout == 0 {
		o.ReadyTimeout = 2 * time.Minute
	}
	return o, nil
}

// clusterOptions are those of the control plane in the node's network.
func (o Options) clusterOptions(net Network) cluster.Options {
	args := make(map[string][]string, len(o.ExtraArgs)+1)
	maps.Copy(args, o.ExtraArgs)
	// One address is not enough: pods use that of the Service.
	args[cluster.APIServer] = append([]string{"--bind-address=0.0.0.0"}, args[cluster.APIServer]...)
	return cluster.Options{
		Dir:                   o.Dir,
		Minor:                 o.Minor,
		Detach:                o.Detach,
		Progress:              o.Progress,
		BindAddress:           net.NodeAddress.String(),
		SecurePort:            apiPort,
		ServiceClusterIPRange: net.Services.String(),
		AggregatorRouting:     true,
		ExtraArgs:             args,
		Wrap:                  net.enter,
		ReadyTimeout:          o.ReadyTimeout,
	}
}
