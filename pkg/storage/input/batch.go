// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package input

import "github.com/metrics-apiserver/metrics-apiserver/pkg/storage"

// Batch is one complete answer of one source of one node: what Store.Commit
// takes. What a batch does not list is gone from the node, so an answer that was
// cut short must not be committed. Its times are by the node's clock.
type Batch struct {
	// Node is the name of the node that answered.
	Node string
	// Source is what was asked.
	Source Source
	// Sent and Received are when the request was sent and the answer was
	// complete, by our clock.
	Sent, Received storage.Millis
	// Offset is our clock less the node's; it is added to every time of the
	// node. A change of it begins a new time base: no rate is taken across it.
	Offset storage.Millis

	// Inputs is what was looked for; all of it is of Source.
	Inputs Set
	// Layout names the node's pods and their containers; nil is no pod. A pod
	// of which no container is listed has one row, whose container name is "".
	Layout *storage.Layout
	// PodRuns and ContainerRuns are nil, or have one element for each of
	// Layout.Pods and of Layout.Containers: what tells one run of it from
	// another, 0 being unknown. Only equality means something.
	PodRuns, ContainerRuns []uint64
	// Columns has the readings of each input in Inputs: one for each of
	// Layout.Pods where the input is OfPod, one for each of Layout.Containers
	// where it is OfContainer. One that is empty has no reading at all.
	Columns [IDs]Column
	// Own is the node's own readings. A Time of 0 is: there is none.
	Own [IDs]Reading
}

// Column is the readings of one input. Times[i] of 0 is: row i has none.
type Column struct {
	Values []uint64
	Times  []storage.Millis
}

// Reading is one number and when it was read.
type Reading struct {
	Value uint64
	Time  storage.Millis
}

// CommitResult says what became of a batch.
type CommitResult struct {
	// Readings is how many there were, of all inputs.
	Readings int
	// Waiting is how many counters among them have no rate yet.
	Waiting int
	// Refused counts the readings that were not taken, by reason.
	Refused [storage.Refusals]int
}
