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
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/metrics/pkg/apis/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// podStorage serves the resource pods: the usage of running pods.
type podStorage struct{ source *Source }

var (
	_ rest.Getter               = (*podStorage)(nil)
	_ rest.Lister               = (*podStorage)(nil)
	_ rest.Scoper               = (*podStorage)(nil)
	_ rest.KindProvider         = (*podStorage)(nil)
	_ rest.SingularNameProvider = (*podStorage)(nil)
)

// New is rest.Storage's.
func (*podStorage) New() runtime.Object { return &metrics.PodMetrics{} }

// NewList is rest.Lister's.
func (*podStorage) NewList() runtime.Object { return &metrics.PodMetricsList{} }

// Destroy is rest.Storage's; there is nothing to release.
func (*podStorage) Destroy() {}

// Kind is rest.KindProvider's.
func (*podStorage) Kind() string { return "PodMetrics" }

// NamespaceScoped is rest.Scoper's.
func (*podStorage) NamespaceScoped() bool { return true }

// GetSingularName is rest.SingularNameProvider's; metrics-server's is empty.
func (*podStorage) GetSingularName() string { return "" }

// Get is the usage of one pod.
func (s *podStorage) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	if err := s.source.synced(); err != nil {
		return nil, err
	}
	namespace := genericapirequest.NamespaceValue(ctx)
	pod, ok := s.source.Pods.Get(namespace, name)
	if !ok {
		return nil, podNotFound(name)
	}
	at := now()
	usage, absence := s.source.Usage.Pod(nil, pod.Query(), at)
	if absence != storage.Present {
		return nil, podUsageNotFound(namespace, name)
	}
	s.source.Metrics.served(at, usage.Time)
	object := podMetrics(pod, &usage, at)
	return &object, nil
}

// List is the usage of the pods that match, sorted by namespace and name. Pods
// without usage are left out. Paging and resourceVersion are ignored, as
// metrics-server does.
func (s *podStorage) List(ctx context.Context, options *metainternalversion.ListOptions) (runtime.Object, error) {
	if err := s.source.synced(); err != nil {
		return nil, err
	}
	matches := newPodMatcher(options)
	at := now()
	pods := s.source.Pods.AppendList(nil, genericapirequest.NamespaceValue(ctx))
	list := &metrics.PodMetricsList{Items: make([]metrics.PodMetrics, 0, len(pods))}
	var containers []storage.ContainerUsage
	for _, pod := range pods {
		if !matches(pod) {
			continue
		}
		usage, absence := s.source.Usage.Pod(containers[:0], pod.Query(), at)
		if absence != storage.Present {
			continue
		}
		containers = usage.Containers
		s.source.Metrics.served(at, usage.Time)
		list.Items = append(list.Items, podMetrics(pod, &usage, at))
	}
	return list, nil
}

// newPodMatcher is whether a pod matches the selectors of options.
func newPodMatcher(options *metainternalversion.ListOptions) func(*objects.Pod) bool {
	byLabel, byField := selectorsOf(options)
	if byLabel.Empty() && byField.Empty() {
		return func(*objects.Pod) bool { return true }
	}
	return func(pod *objects.Pod) bool {
		return byLabel.Matches(pod.Labels) &&
			(byField.Empty() || byField.Matches(fields.Set{metadataName: pod.Name, metadataNamespace: pod.Namespace}))
	}
}

// The fields by which objects can be selected; the generic server refuses all
// others with 400.
const (
	metadataName      = "metadata.name"
	metadataNamespace = "metadata.namespace"
)

// selectorsOf is the selectors of options, which may be nil or have none.
func selectorsOf(options *metainternalversion.ListOptions) (labels.Selector, fields.Selector) {
	byLabel, byField := labels.Everything(), fields.Everything()
	if options != nil && options.LabelSelector != nil {
		byLabel = options.LabelSelector
	}
	if options != nil && options.FieldSelector != nil {
		byField = options.FieldSelector
	}
	return byLabel, byField
}

// podMetrics is the served object. Its labels are the pod's own map, which no
// encoder writes to; its creation is the moment of the answer, as
// metrics-server has it.
func podMetrics(pod *objects.Pod, usage *storage.PodUsage, at storage.Millis) metrics.PodMetrics {
	containers := make([]metrics.ContainerMetrics, len(usage.Containers))
	for i := range usage.Containers {
		c := &usage.Containers[i]
		containers[i] = metrics.ContainerMetrics{Name: c.Name, Usage: resourceList(c.CPU, c.Memory, c.Swap, c.HasSwap)}
	}
	return metrics.PodMetrics{
		ObjectMeta: metav1.ObjectMeta{
			Name:              pod.Name,
			Namespace:         pod.Namespace,
			Labels:            pod.Labels,
			CreationTimestamp: metav1.NewTime(at.Time()),
		},
		Timestamp:  metav1.NewTime(usage.Time.Time()),
		Window:     metav1.Duration{Duration: usage.Window.Duration()},
		Containers: containers,
	}
}

// ConvertToTable is rest.TableConvertor's: a pod's cells are the sums of its
// containers.
func (*podStorage) ConvertToTable(_ context.Context, object, _ runtime.Object) (*metav1.Table, error) {
	var items []metrics.PodMetrics
	switch o := object.(type) {
	case *metrics.PodMetrics:
		items = []metrics.PodMetrics{*o}
	case *metrics.PodMetricsList:
		items = o.Items
	}
	rows := make([]usageRow, len(items))
	for i := range items {
		pod := &items[i]
		rows[i] = usageRow{object: pod, name: pod.Name, usage: corev1.ResourceList{}, window: pod.Window.Duration}
		for _, container := range pod.Containers {
			addUsage(rows[i].usage, container.Usage)
		}
	}
	return usageTable(rows), nil
}
