// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rig is a hostile cluster to try the server in: a real control plane,
// fake kubelets with a fault for each, and the server's own binary as a process.
//
// # Types
//
//   - Site: the control plane and all that stands on it. Pods that are bound to its
//     nodes run, and use what their annotations say (package clustertest).
//   - World: the nodes and pods of one experiment. Worlds do not see each other:
//     each has a label on its nodes, by which its servers choose what they
//     scrape, and a namespace. So experiments run side by side on one site.
//   - Node: a Node object and its fake kubelet (package kubelettest), which takes
//     the faults.
//   - Server: a process of our server, with what it says of itself and what the
//     system says of it.
//   - Balancer: a Service in front of several servers.
//
// # How to use it
//
//	site := rig.Start(t)                     // about 20 s
//	w := site.World(t, "f42")
//	w.AddNodes(t, 50, 3)                     // with 3 pods each
//	server := w.Serve(t)
//	w.Nodes()[7].SetFault(kubelettest.Fault{Reset: true})
//	pods, err := server.Pods(ctx)
//
// What is started ends with the test that was given. Methods are safe for
// concurrent use, unless they say otherwise. Figures that the system gives of a
// process (sockets, resident memory) need Linux.
package rig
