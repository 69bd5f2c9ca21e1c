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
	// Items may be gone through more than once, and is the same each time. An
	// item is read before the next is asked for.
	Items iter.Seq[*Item]
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
