// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
)

// listing is what discovery has of a group, from one answer of its provider. It
// is not written once it is made.
type listing[T comparable] struct {
	// of is what the provider answered.
	of []T
	// entries are what is listed: legal, sorted by name, each once.
	entries []entry
	// namespaced says of each resource with metrics whether it is.
	namespaced map[schema.GroupResource]bool
}

// entry is a line of a version's own document.
type entry struct {
	// resource is all of an external metric's name, or what a metric describes.
	resource string
	// metric is the subresource; external metrics have none.
	metric     string
	namespaced bool
}

// sameAs is whether of is what the listing was made from. Providers return the
// same slice as long as nothing changes.
func (l *listing[T]) sameAs(of []T) bool {
	if len(l.of) != len(of) {
		return false
	}
	return len(of) == 0 || &l.of[0] == &of[0] || slices.Equal(l.of, of)
}

// listed keeps the listing of a group up to date. It looks at its provider
// whenever somebody asks for it: with every request, and kube-apiserver asks for
// the document of each version every few seconds, to see whether we are there.
type listed[T comparable] struct {
	metrics func() []T
	list    func([]T) *listing[T]
	// publish is told of each new listing, before it is current.
	publish func([]entry)

	current atomic.Pointer[listing[T]]
	// mu is held while a new listing is made.
	mu sync.Mutex
}

// get is the current listing.
func (l *listed[T]) get() *listing[T] {
	of := l.metrics()
	if current := l.current.Load(); current != nil && current.sameAs(of) {
		return current
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	of = l.metrics() // or an older answer might replace a newer one
	if current := l.current.Load(); current != nil && current.sameAs(of) {
		return current
	}
	next := l.list(of)
	l.publish(next.entries)
	l.current.Store(next)
	return next
}

// listCustom is the listing of metrics about objects. Of entries that contradict
// each other the first is right, lest one wrong metric take all others away.
func listCustom(of []MetricInfo) *listing[MetricInfo] {
	l := &listing[MetricInfo]{of: of, namespaced: map[schema.GroupResource]bool{}}
	names := map[schema.GroupResource]string{}
	for _, info := range of {
		namespaced, known := l.namespaced[info.Resource]
		if !known {
			if !servable(info) {
				continue
			}
			namespaced = info.Namespaced
			l.namespaced[info.Resource], names[info.Resource] = namespaced, info.Resource.String()
		}
		if namespaced == info.Namespaced && isSegment(info.Metric) {
			l.entries = append(l.entries, entry{resource: names[info.Resource], metric: info.Metric, namespaced: namespaced})
		}
	}
	l.sort()
	return l
}

// servable is whether a path can name the resource as what it is.
func servable(info MetricInfo) bool {
	name := info.Resource.String()
	if name == namespacesResource {
		return !info.Namespaced
	}
	return isSegment(info.Resource.Resource) && isSegment(name) && schema.ParseGroupResource(name) == info.Resource
}

// isSegment is whether a path can have name as a part of its own.
func isSegment(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.Contains(name, "/")
}

// listExternal is the listing of external metrics.
func listExternal(of []string) *listing[string] {
	l := &listing[string]{of: of}
	for _, name := range of {
		if isSegment(name) {
			l.entries = append(l.entries, entry{resource: name, namespaced: true})
		}
	}
	l.sort()
	return l
}

func (l *listing[T]) sort() {
	slices.SortFunc(l.entries, func(a, b entry) int {
		if c := strings.Compare(a.resource, b.resource); c != 0 {
			return c
		}
		return strings.Compare(a.metric, b.metric)
	})
	l.entries = slices.Compact(l.entries)
}

// resourceList is the document of a version: an APIResourceList.
type resourceList struct {
	version schema.GroupVersion
	kind    string
	entries []entry
}

// encodes implements content.
func (*resourceList) encodes(encoding wire.Encoding) bool { return encoding == wire.JSON }

// encode implements content: it writes what encoding/json does of the typed list,
// new line and all.
func (l *resourceList) encode(out *wire.Chunks, _ wire.Encoding) {
	buf := append(out.Buffer(), `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"`...)
	buf = append(buf, l.version.String()...)
	buf = append(buf, `","resources":[`...)
	for i := range l.entries {
		e := &l.entries[i]
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(buf, `{"name":`...)
		buf = wire.AppendString(buf, e.resource)
		if e.metric != "" {
			// The quote that ended the resource, and begins the metric, is the
			// slash between them.
			slash := len(buf) - 1
			buf = wire.AppendString(buf[:slash], e.metric)
			buf[slash] = '/'
		}
		buf = append(buf, `,"singularName":"","namespaced":`...)
		if e.namespaced {
			buf = append(buf, "true"...)
		} else {
			buf = append(buf, "false"...)
		}
		buf = append(buf, `,"kind":"`...)
		buf = append(buf, l.kind...)
		if !out.Put(append(buf, `","verbs":["get"]}`...)) {
			return
		}
		buf = out.Buffer()
	}
	out.Put(append(buf, listEnd...))
}

// typed implements content.
func (l *resourceList) typed() runtime.Object {
	list := &metav1.APIResourceList{GroupVersion: l.version.String(), APIResources: make([]metav1.APIResource, 0, len(l.entries))}
	for i := range l.entries {
		e := &l.entries[i]
		list.APIResources = append(list.APIResources, metav1.APIResource{Name: e.name(), Namespaced: e.namespaced, Kind: l.kind, Verbs: verbs()})
	}
	return list
}

// name is the entry's name in the document.
func (e *entry) name() string {
	if e.metric == "" {
		return e.resource
	}
	return e.resource + "/" + e.metric
}

// verbs are what discovery says can be done with a metric.
func verbs() metav1.Verbs { return metav1.Verbs{"get"} }
