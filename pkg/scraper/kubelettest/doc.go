// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kubelettest is kubelets for tests and benchmarks, as net/http/httptest
// is servers: real HTTP over real TLS, with numbers from a model and faults on
// demand.
//
// # Types
//
//   - Authority: a certificate authority, for the kubelets' certificates and
//     for those of their clients.
//   - Server: any number of kubelets, each with an address of its own. It
//     listens on loopback, or in a Network.
//   - Kubelet: one of them. Its usage is set with SetUsage, its behaviour with
//     SetFault, and it counts what it is asked.
//   - Usage: the pods of a node and what they use; what a kubelet would say of
//     them is a pure function of the time.
//   - Fault: what goes wrong.
//   - Network: a network in memory, for tests in a testing/synctest bubble.
//
// # Time
//
// Kubelets ask time.Now, so in a bubble they live by its clock. A sample
// belongs to its container and not to the request: each container has a clock
// of its own and shows the same sample until it is due for the next.
package kubelettest
