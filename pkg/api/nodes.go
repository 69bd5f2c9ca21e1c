// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/metrics/pkg/apis/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// nodeStorage serves the resource nodes: the usage of nodes.
type nodeStorage struct {
	source *Source
	served *served
}

var (
	_ rest.Getter               = (*nodeStorage)(nil)
	_ rest.Lister               = (*nodeStorage)(nil)
	_ rest.Scoper               = (*nodeStorage)(nil)
	_ rest.KindProvider         = (*nodeStorage)(nil)
	_ rest.SingularNameProvider = (*nodeStorage)(nil)
)

// New is rest.Storage's.
func (*nodeStorage) New() runtime.Object { return &metrics.NodeMetrics{} }

// NewList is rest.Lister's.
func (*nodeStorage) NewList() runtime.Object { return &metrics.NodeMetricsList{} }

// Destroy is rest.Storage's; there is nothing to release.
func (*nodeStorage) Destroy() {}

// Kind is rest.KindProvider's.
func (*nodeStorage) Kind() string { return "NodeMetrics" }

// NamespaceScoped is rest.Scoper's.
func (*nodeStorage) NamespaceScoped() bool { return false }

// GetSingularName is rest.SingularNameProvider's; metrics-server's is empty.
func (*nodeStorage) GetSingularName() string { return "" }

// Get is the usage of one node.
func (s *nodeStorage) Get(_ context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	if err := s.source.synced(); err != nil {
		return nil, err
	}
	node, ok := s.source.Nodes.Get(name)
	if !ok {
		return nil, nodeNotFound(name)
	}
	at := now()
	usage, absence := s.source.Usage.Node(name, at)
	if absence != storage.Present {
		return nil, nodeUsageNotFound(name, absence)
	}
	s.source.Metrics.served(at, usage.Time)
	item := newNodeItem()
	setNodeItem(item, node.Name, wire.LabelsOf(node.Labels), &usage)
	object := nodeMetrics(item, at)
	return &object, nil
}

// List is the usage of the nodes that match, sorted by name. Nodes without
// usage are left out. Paging and resourceVersion are ignored, as metrics-server
// does.
func (s *nodeStorage) List(_ context.Context, options *metainternalversion.ListOptions) (runtime.Object, error) {
	if err := s.source.synced(); err != nil {
		return nil, err
	}
	byLabel, byField := selectorsOf(options)
	parts := &nodeList{at: now()}
	var served ages
	nodes, encoded := s.source.Nodes.Labelled()
	for i, node := range nodes {
		if !byLabel.Empty() && !byLabel.Matches(labels.Set(node.Labels)) || !byField.Empty() && !byField.Matches(fields.Set{metadataName: node.Name}) {
			continue
		}
		usage, absence := s.source.Usage.Node(node.Name, parts.at)
		if absence != storage.Present {
			continue
		}
		s.source.Metrics.count(&served, parts.at, usage.Time)
		parts.nodes = append(parts.nodes, node)
		parts.labels = append(parts.labels, encoded[i])
		parts.usage = append(parts.usage, usage)
	}
	s.source.Metrics.servedAll(&served)
	return s.served.list(parts), nil
}

// nodeList is the parts of a list of nodes' usage: the nodes, and the labels and
// the usage of each in the same order.
type nodeList struct {
	at     storage.Millis
	nodes  []*corev1.Node
	labels []wire.Labels
	usage  []storage.NodeUsage
}

func (l *nodeList) len() int { return len(l.nodes) }

func (l *nodeList) wire() wire.List {
	return wire.List{Kind: wire.NodeMetrics, Created: l.at, Runs: []wire.Run{{Items: l.items}}}
}

// items is the items of the list, in one place one after the other.
func (l *nodeList) items(yield func(*wire.Item) bool) {
	item := newNodeItem()
	for i := range l.nodes {
		setNodeItem(item, l.nodes[i].Name, l.labels[i], &l.usage[i])
		if !yield(item) {
			return
		}
	}
}

func (l *nodeList) typed() runtime.Object {
	typed := &metrics.NodeMetricsList{Items: make([]metrics.NodeMetrics, 0, len(l.nodes))}
	for item := range l.items {
		typed.Items = append(typed.Items, nodeMetrics(item, l.at))
	}
	return typed
}

// newNodeItem is an item for setNodeItem.
func newNodeItem() *wire.Item { return &wire.Item{Containers: make([]storage.ContainerUsage, 1)} }

// setNodeItem makes item that of a node.
func setNodeItem(item *wire.Item, name string, labels wire.Labels, usage *storage.NodeUsage) {
	item.Name, item.Labels = name, labels
	item.Time, item.Window = usage.Time, usage.Window
	item.Containers[0] = storage.ContainerUsage{CPU: usage.CPU, Memory: usage.Memory, Swap: usage.Swap, HasSwap: usage.HasSwap}
}

// nodeMetrics is the served object.
func nodeMetrics(item *wire.Item, at storage.Millis) metrics.NodeMetrics {
	return metrics.NodeMetrics{
		ObjectMeta: objectMeta(item, at),
		Timestamp:  metav1.NewTime(item.Time.Time()),
		Window:     metav1.Duration{Duration: item.Window.Duration()},
		Usage:      resourceList(&item.Containers[0]),
	}
}

// ConvertToTable is rest.TableConvertor's.
func (*nodeStorage) ConvertToTable(_ context.Context, object, _ runtime.Object) (*metav1.Table, error) {
	if l, ok := object.(*list); ok {
		object = l.parts.typed()
	}
	var items []metrics.NodeMetrics
	switch o := object.(type) {
	case *metrics.NodeMetrics:
		items = []metrics.NodeMetrics{*o}
	case *metrics.NodeMetricsList:
		items = o.Items
	}
	rows := make([]usageRow, len(items))
	for i := range items {
		node := &items[i]
		rows[i] = usageRow{object: node, name: node.Name, usage: node.Usage, window: node.Window.Duration}
	}
	return usageTable(rows), nil
}
