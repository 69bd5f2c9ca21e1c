// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package clustertest is what tests on a real control plane with fake kubelets
// share.
//
// A [Node] is a fake kubelet (package kubelettest) and the pods that it runs.
// [RunPods] plays the kubelets' other half: a pod that is bound to one of the nodes
// runs at once, and uses what its annotations say. [Eventually] waits for something
// to become so.
//
// What is started ends with the test that was given. Methods are safe for
// concurrent use.
package clustertest
