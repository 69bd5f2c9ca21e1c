// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package realnode runs a cluster with one real node on this machine: a
// control plane (package cluster), containerd and a kubelet, which run pods
// from images made here (package image). It needs Linux and root, and neither
// Docker nor a registry.
//
// [Start] puts everything into a network namespace of its own, which this
// machine reaches through a pair of interfaces: the control plane, the kubelet
// and the pods have addresses there, and nothing outside the machine can reach
// or be reached. kube-apiserver listens on the address of the Service
// "kubernetes" too, so pods reach it without kube-proxy; Services have no
// other address that works, and there is no cluster DNS. An aggregated server
// in a pod is reached by its endpoint.
//
// A machine has one real node at a time, because the kubelet finds the figures
// of containers only at containerd's default socket. Who starts a second one
// is told who has the first. What a killed program left behind is cleared away
// by the next Start, and [Node.Stop] leaves nothing but logs.
//
// Methods of a [Node] are safe for concurrent use as long as no two stop or
// start the same component at once.
package realnode
