// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package scraper asks every node's kubelet for its usage and hands each
// complete answer to the store at once.
//
// # Types
//
//   - Target: what to ask, and where; TargetOf makes one from a Node object.
//   - Manager: keeps one loop for each target. Set and Delete tell it of nodes,
//     Run takes turns with the loops and returns when nothing of it runs.
//   - Committer: what takes the answers in; the store. InputStore is the same for
//     the inputs of custom metrics.
//   - Status: how a target does.
//
// # One loop a node
//
// A node is asked at moments that follow from its name and the number of nodes
// (file schedule.go): in groups of about ten, which share what waking up costs, and
// which are spread evenly. No node waits for another: there is no cycle over all
// of them. A new node is asked at once, a failing one again soon and
// then ever less often (but often enough that it is wholly fresh two resolutions
// after it is healed), a deleted one is canceled and forgotten.
//
// # Few workers
//
// A loop has no goroutine of its own. Loops wait in a queue (file queue.go), and
// those that are due are taken by workers, of which there are as many as answers
// are waited for at one moment: a worker that takes a node leaves another one
// waiting for the next, a new one if need be. So nodes that do not answer hold a
// worker each, and nobody else. 10,000 nodes that answer within 10 ms need seven
// at a time, and some 16 stay to wait; 10,000 black holes need 10,001.
//
// # Bridging
//
// A rate takes two samples, and a kubelet takes a new one every 10 to 20 s. So
// while a node is fresh the loop also asks for the kubelet's own rates and adds
// them to the answer as estimates (file bridge.go).
//
// # Inputs
//
// Manager.Demand says which inputs of custom metrics are wanted (files demand.go
// and inputs.go). Their sources are asked over the same connection when a scrape
// is done, and only until the next is due: they can neither delay it nor make it
// fail. A source that fails is asked ever less often, one that is refused every
// ten minutes.
//
// # Series
//
// Options.Series are who wants the answers as labelled series: rules, history,
// remote-write (file tap.go). They get the same bytes after the store has had them.
// Sources that only they need are asked as those of inputs are.
//
// # Two clocks
//
// Kubelets stamp samples by their own clock. How far it is from ours is read off
// the Date header, and answers say so in Batch.Offset (file clock.go).
//
// # Concurrency and ownership
//
// Manager's methods may be called concurrently and never wait for a scrape. A
// Target must not be written after it was handed over. Commits of one node
// never overlap, and none follows the Forget of that node.
//
// Fetching is the business of package nodeclient, and what answers mean that of
// package kubelet.
package scraper
