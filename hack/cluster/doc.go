// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster runs a real Kubernetes control plane on this machine: etcd,
// kube-apiserver with aggregation, kube-controller-manager and kube-scheduler,
// compiled from pinned versions. It needs no root, no containers and no images.
//
// [Start] starts one in a directory that holds all of its state: certificates,
// kubeconfigs, data, logs. A [Cluster] either ends with the program that
// started it (tests) or stays ([Options.Detach]) and is taken over by a later
// program with [Open]. [Cluster.Stop] leaves no process behind.
//
// A [Component] is one process of the cluster. Those of the control plane are
// named by constants; [Cluster.Add] adds more, such as simulated nodes or a
// server under test. Components can be stopped, killed and started one by one.
//
// A server that runs outside the cluster, as a process of this machine, is put
// behind the aggregation layer with [Cluster.Register].
//
// Methods of a Cluster are safe for concurrent use as long as no two change
// the same component at once.
package cluster
