// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	goruntime "runtime"

	corev1 "k8s.io/api/core/v1"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/metrics/pkg/apis/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/internal/crew"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// podStorage serves the resource pods: the usage of running pods.
type podStorage struct {
	source *Source
	served *served
	// flights is lists of all pods.
	flights flights
}

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
		return nil, podUsageNotFound(namespace, name, absence)
	}
	s.source.Metrics.served(at, usage.Time)
	object := podMetrics(&wire.Item{
		Namespace:  pod.Namespace,
		Name:       pod.Name,
		Labels:     pod.Labels,
		Time:       usage.Time,
		Window:     usage.Window,
		Containers: usage.Containers,
	}, at)
	return &object, nil
}

// List is the usage of the pods that match, sorted by namespace and name. Pods
// without usage are left out. Paging and resourceVersion are ignored, as
// metrics-server does.
func (s *podStorage) List(ctx context.Context, options *metainternalversion.ListOptions) (runtime.Object, error) {
	if err := s.source.synced(); err != nil {
		return nil, err
	}
	namespace := genericapirequest.NamespaceValue(ctx)
	join := func() *podList { return s.join(namespace, options) }
	var parts *podList
	if namespace == "" && newPodMatcher(options).all() {
		parts = s.flights.take(join)
	} else {
		parts = join()
	}
	s.source.Metrics.servedAll(&parts.ages)
	return s.served.list(parts), nil
}

// runSize is how many pods one goroutine joins to their usage at a time, which
// takes some 200 us. Nearly all lists are of fewer: those are one run, of which
// the goroutine of the request does all.
const runSize = 2048

// join is the pods that match joined to their usage, as it is now.
func (s *podStorage) join(namespace string, options *metainternalversion.ListOptions) *podList {
	runs := s.source.Pods.Runs(namespace, runSize)
	list := &podList{at: now(), runs: make([]podRun, len(runs))}
	crew.Each(len(runs), func(i int) {
		list.runs[i] = joinRun(s.source, &runs[i], newPodMatcher(options), list.at, len(runs) > 1)
	})
	for i := range list.runs {
		list.ages.merge(&list.runs[i].ages)
	}
	return list
}

// podMatcher is whether pods match the selectors of a request.
type podMatcher struct {
	byLabel *objects.Matcher
	byField fields.Selector
}

func newPodMatcher(options *metainternalversion.ListOptions) podMatcher {
	byLabel, byField := selectorsOf(options)
	return podMatcher{objects.NewMatcher(byLabel), byField}
}

// all is whether every pod matches.
func (m podMatcher) all() bool { return m.byLabel.All() && m.byField.Empty() }

func (m podMatcher) matches(pod *objects.Pod) bool {
	return m.byLabel.Matches(pod) && (m.byField.Empty() || m.byField.Matches(podFields{pod}))
}

// podFields is the fields of a pod by which it can be selected.
type podFields struct{ pod *objects.Pod }

// Has is fields.Fields'.
func (podFields) Has(field string) bool { return field == metadataName || field == metadataNamespace }

// Get is fields.Fields'.
func (f podFields) Get(field string) string {
	switch field {
	case metadataName:
		return f.pod.Name
	case metadataNamespace:
		return f.pod.Namespace
	default:
		return ""
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

// podList is the parts of a list of pods' usage, in runs of pods that follow upon
// each other.
type podList struct {
	at   storage.Millis
	runs []podRun
	// ages is those of all items.
	ages ages
	// shared is where lists that share these parts share what is encoded of them;
	// nil where there is one list alone.
	shared *wire.Shared
}

// podRun is the parts of one run.
type podRun struct {
	usage usageLog
	ages  ages
	// size is that of a wire.Run, 0 where it was not measured.
	size int
}

// joinRun joins those pods that match to their usage at the moment at, and measures
// them where that is asked for: later, they would have to be fetched for it again.
//
// The run is the caller's to put where it belongs: runs of one list lie side by side,
// and processors that write into neighbours at every pod take memory from each other.
func joinRun(source *Source, pods *objects.Run, matcher podMatcher, at storage.Millis, measure bool) podRun {
	room, all := pods.Len(), matcher.all()
	if !all {
		room = min(room, 16) // an HPA's workload
	}
	sizer := wire.NewSizer(wire.PodMetrics, at)
	var (
		usage = newUsageLog(room)
		ages  ages
		size  int
		query storage.PodQuery
		item  wire.Item
		other []storage.ContainerUsage
	)
	for pod := range pods.All() {
		if !all && !matcher.matches(pod) {
			continue
		}
		pod.QueryInto(&query)
		item.Namespace, item.Name, item.Labels = pod.Namespace, pod.Name, pod.Labels
		if posted := usage.add(pod); source.Usage.Posted(posted, &query, at) {
			item.Time, item.Window = posted.Time, storage.Millis(posted.Window)
			if measure {
				size += sizer.SizePosted(&item, posted, query.Containers)
			}
		} else {
			usage.drop()
			answer, absence := source.Usage.Pod(other[:0], query, at)
			if absence != storage.Present {
				continue
			}
			other = answer.Containers
			usage.addOther(pod, &answer)
			item.Time, item.Window, item.Containers = answer.Time, answer.Window, other
			if measure {
				size += sizer.Size(&item)
			}
		}
		source.Metrics.count(&ages, at, item.Time)
	}
	return podRun{usage, ages, size}
}

func (l *podList) len() int {
	n := 0
	for i := range l.runs {
		n += len(l.runs[i].usage.pods)
	}
	return n
}

func (l *podList) wire() wire.List {
	list := wire.List{Kind: wire.PodMetrics, Created: l.at, Runs: make([]wire.Run, len(l.runs))}
	if len(l.runs) > 1 { // a short list is encoded before others come
		list.Shared = l.shared
	}
	for i := range l.runs {
		list.Runs[i] = wire.Run{Items: l.runs[i].usage.items, Size: l.runs[i].size}
	}
	return list
}

// fetched is how many pods are fetched at once: few enough to be in the nearest
// cache until they are encoded.
const fetched = 32

// fetch reads what will be encoded of pods. Pods, their names and labels are
// scattered over more memory than caches hold: here nothing depends on what is
// read, so that a processor waits for many at once; while encoding, it waits for
// one at a time. See BenchmarkPodList.
func fetch(pods []*objects.Pod) {
	sum := byte(0)
	for _, pod := range pods {
		sum += ends(pod.Name) + ends(string(pod.Labels)) + byte(len(pod.Containers.Statuses))
	}
	goruntime.KeepAlive(sum)
}

// ends reads the first and the last byte of s.
func ends(s string) byte {
	if s == "" {
		return 0
	}
	return s[0] + s[len(s)-1]
}

func (l *podList) typed() runtime.Object {
	typed := &metrics.PodMetricsList{Items: make([]metrics.PodMetrics, 0, l.len())}
	for i := range l.runs {
		for item := range l.runs[i].usage.items {
			typed.Items = append(typed.Items, podMetrics(item, l.at))
		}
	}
	return typed
}

// podMetrics is the served object. Its creation is the moment of the answer, as
// metrics-server has it.
func podMetrics(item *wire.Item, at storage.Millis) metrics.PodMetrics {
	containers := make([]metrics.ContainerMetrics, len(item.Containers))
	for i := range item.Containers {
		c := &item.Containers[i]
		containers[i] = metrics.ContainerMetrics{Name: c.Name, Usage: resourceList(c)}
	}
	return metrics.PodMetrics{
		ObjectMeta: objectMeta(item, at),
		Timestamp:  metav1.NewTime(item.Time.Time()),
		Window:     metav1.Duration{Duration: item.Window.Duration()},
		Containers: containers,
	}
}

func objectMeta(item *wire.Item, at storage.Millis) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:              item.Name,
		Namespace:         item.Namespace,
		Labels:            item.Labels.Set(),
		CreationTimestamp: metav1.NewTime(at.Time()),
	}
}

// ConvertToTable is rest.TableConvertor's: a pod's cells are the sums of its
// containers.
func (*podStorage) ConvertToTable(_ context.Context, object, _ runtime.Object) (*metav1.Table, error) {
	if l, ok := object.(*list); ok {
		object = l.parts.typed()
	}
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
