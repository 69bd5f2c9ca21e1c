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

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// nodeStorage serves the resource nodes: the usage of nodes.
type nodeStorage struct{ source *Source }

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
		return nil, nodeUsageNotFound(name)
	}
	s.source.Metrics.served(at, usage.Time)
	object := nodeMetrics(node, &usage, at)
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
	at := now()
	nodes := s.source.Nodes.List()
	list := &metrics.NodeMetricsList{Items: make([]metrics.NodeMetrics, 0, len(nodes))}
	for _, node := range nodes {
		if !byLabel.Matches(labels.Set(node.Labels)) || !byField.Matches(fields.Set{metadataName: node.Name}) {
			continue
		}
		usage, absence := s.source.Usage.Node(node.Name, at)
		if absence != storage.Present {
			continue
		}
		s.source.Metrics.served(at, usage.Time)
		list.Items = append(list.Items, nodeMetrics(node, &usage, at))
	}
	return list, nil
}

func nodeMetrics(node *corev1.Node, usage *storage.NodeUsage, at storage.Millis) metrics.NodeMetrics {
	return metrics.NodeMetrics{
		ObjectMeta: metav1.ObjectMeta{
			Name:              node.Name,
			Labels:            node.Labels,
			CreationTimestamp: metav1.NewTime(at.Time()),
		},
		Timestamp: metav1.NewTime(usage.Time.Time()),
		Window:    metav1.Duration{Duration: usage.Window.Duration()},
		Usage:     resourceList(usage.CPU, usage.Memory, usage.Swap, usage.HasSwap),
	}
}

// ConvertToTable is rest.TableConvertor's.
func (*nodeStorage) ConvertToTable(_ context.Context, object, _ runtime.Object) (*metav1.Table, error) {
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
