// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"iter"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Kind is what a list's items are.
type Kind string

// The kinds of items.
const (
	PodMetrics  Kind = "PodMetrics"
	NodeMetrics Kind = "NodeMetrics"
)

// group is the API group of both kinds.
const group = "metrics.k8s.io"

// List is a list to be encoded.
type List struct {
	// Version is that of the API group: v1 or v1beta1.
	Version string
	Kind    Kind
	// Created is every item's creationTimestamp; it must not be 0.
	Created storage.Millis
	// Runs is the items, one run after the other.
	Runs []Run
	// Shared may be nil. Where it is not, the list is written several times at
	// once, and they share what is encoded.
	Shared *Shared
}

// Run is some items of a list that follow upon each other.
type Run struct {
	// Items may be gone through more than once, and is the same each time; several
	// runs may be at once. An item is read before the next is asked for.
	Items iter.Seq[*Item]
	// Size is the sum of what a Sizer says of the items; 0 is that nobody asked
	// it.
	Size int
}

// items is all items.
func (l *List) items(yield func(*Item) bool) {
	more := true
	each := func(item *Item) bool {
		more = yield(item)
		return more
	}
	for i := range l.Runs {
		if l.Runs[i].Items(each); !more {
			return
		}
	}
}

// Item is one item of a list.
type Item struct {
	// Namespace is empty for a node.
	Namespace, Name string
	Labels          Labels
	// Time and Window are those of the sample.
	Time, Window storage.Millis
	// Containers is a pod's usage. A node's is in the one element, whose name
	// is not looked at.
	Containers []storage.ContainerUsage
}

// Encoding is a way to write a list.
type Encoding int

// The encodings; the zero Encoding is none.
const (
	JSON Encoding = iota + 1
	Protobuf
)
