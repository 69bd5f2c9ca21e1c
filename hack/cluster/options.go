// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"time"
)

// The components of the control plane, in the order in which they start.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
)

// Minors are the supported Kubernetes minor versions, the default first.
var Minors = []string{"1.37", "1.36"}

// Options say what control plane to start.
type Options struct {
	// Dir is the directory for all state of the cluster. It is made if it does
	// not exist, and must not hold another cluster. Required.
	Dir string
	// Minor is the Kubernetes minor version, one of [Minors]. "" means the first.
	Minor string
	// Detach lets the cluster outlive the program that starts it. Otherwise, on
	// Linux, it ends with the program, however that dies.
	Detach bool
	// Progress gets lines about what is being built and started. nil discards
	// them.
	Progress io.Writer

	// BindAddress is the IP address that all components listen on and reach
	// each other at. "" means 127.0.0.1.
	BindAddress string
	// SecurePort is the port of kube-apiserver. 0 means a free one.
	SecurePort int
	// ExtraHosts are further DNS names and IP addresses that the certificate of
	// kube-apiserver is good for.
	ExtraHosts []string
	// ServiceClusterIPRange is the CIDR of Services. "" means 10.96.0.0/16.
	ServiceClusterIPRange string
	// AggregatorRouting lets kube-apiserver dial the endpoints of an aggregated
	// server's Service. Without it, it dials the Service's cluster IP, or the
	// host that an ExternalName Service names, which [Cluster.Register] needs.
	AggregatorRouting bool

	// ExtraArgs are further flags of each component by its name, such as
	// {ControllerManager: {"--horizontal-pod-autoscaler-sync-period=1s"}}. They
	// come last, so they win over ours.
	ExtraArgs map[string][]string
	// ExtraEnv is added to the environment of each component by its name, each
	// as "KEY=value".
	ExtraEnv map[string][]string
	// Wrap, if set, returns the command that is run in place of argv, for
	// example to enter a network namespace. It must end in an exec of argv, so
	// that the process keeps its number. It is applied to all components, the
	// added ones included, when they are first started.
	Wrap func(argv []string) []string
	// ReadyTimeout is how long one component may take to become ready. 0 means
	// two minutes, which is much: it must be enough on a loaded machine.
	ReadyTimeout time.Duration
}

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("cluster options: Dir is empty")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("cluster options: Dir: %w", err)
	}
	o.Dir = dir
	if o.Minor == "" {
		o.Minor = Minors[0]
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.BindAddress == "" {
		o.BindAddress = "127.0.0.1"
	}
	if o.ServiceClusterIPRange == "" {
		o.ServiceClusterIPRange = "10.96.0.0/16"
	}
	if o.ReadyTimeout == 0 {
		o.ReadyTimeout = 2 * time.Minute
	}
	if o.Wrap == nil {
		o.Wrap = func(argv []string) []string { return argv }
	}
	if _, err := netip.ParseAddr(o.BindAddress); err != nil {
		return o, fmt.Errorf("cluster options: BindAddress: %w", err)
	}
	if _, err := firstServiceIP(o.ServiceClusterIPRange); err != nil {
		return o, fmt.Errorf("cluster options: ServiceClusterIPRange: %w", err)
	}
	for option, extra := range map[string]map[string][]string{"ExtraArgs": o.ExtraArgs, "ExtraEnv": o.ExtraEnv} {
		for name := range extra {
			switch name {
			case Etcd, APIServer, ControllerManager, Scheduler:
			default:
				return o, fmt.Errorf("cluster options: %s: there is no component %q", option, name)
			}
		}
	}
	return o, nil
}

// firstServiceIP returns the address that the Service "kubernetes" gets.
func firstServiceIP(cidr string) (string, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return "", err
	}
	return prefix.Masked().Addr().Next().String(), nil
}
