// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fleet is thousands of fake kubelets in one process that are cheap
// enough not to disturb what is measured on the same machine.
//
// [Fleet] listens with one listener on all addresses of the loopback range and
// tells nodes apart by the address that was dialed. It speaks HTTP/1.1 and
// HTTP/2 over TLS with a certificate for each node, compresses for clients that
// ask for it, and writes in pieces of 4 KiB, all as a kubelet does.
//
// /metrics/resource has byte for byte the form of a kubelet v1.36. A sample
// belongs to its container: each container, pod and node has a sampler with a
// jittered clock of its own, refreshed every 10 to 20 s where busy and every 15
// to 30 s where idle, and shows the same sample until it is due for the next.
// The line of every series is rendered once a sample; an answer is these lines,
// copied. /stats/summary has the kubelet's own rates, and 0 where it has taken
// one sample only or the container is idle.
//
// Pods are replaced by [Fleet.Replace] or over the control API ([Fleet.Control]),
// which also tells what was asked of the kubelets.
//
// A Fleet is safe for concurrent use. Bodies are rendered under a lock of the
// node.
package fleet
