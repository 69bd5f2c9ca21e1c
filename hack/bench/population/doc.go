// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package population is the API objects of a simulated cluster: its Nodes,
// Namespaces and Pods, of the size that they have in real clusters (a Pod some
// 5 KB, managedFields included).
//
// A [Store] writes them straight into the etcd below a kube-apiserver, which
// serves them, and tells its watchers of them, as of any object. That takes
// seconds where creating 30,000 pods over the API, each with an update of its
// status, takes minutes on a small machine.
//
// [Churn] replaces pods while it runs, in the API and at their kubelets.
package population
