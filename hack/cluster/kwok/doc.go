// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kwok simulates nodes and pods in a [cluster.Cluster], with kwok.
//
// Simulated nodes are ready, pods that are scheduled to them run at once and
// are deleted when asked. No container is executed. One process plays all
// kubelets: every node has the same address and port, and its metrics are below
// a path of its own, which the node's annotation [PathAnnotation] names. They
// are served over https with a certificate of the cluster's authority, good for
// the nodes' address.
//
// What a container uses is what its pod's annotations say, with some noise:
// [CPUAnnotation] and [MemoryAnnotation] for each of its containers, or the same
// prefixed with "CONTAINER." for one.
//
// What differs from a real kubelet: samples carry no timestamp and are computed
// when they are asked for; a counter begins at 0 when its container is first
// scraped; init containers, sidecars included, have no metrics; there is no
// /stats/summary.
package kwok
