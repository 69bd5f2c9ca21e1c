// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"net/http"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// The resources that paths name for themselves.
const (
	// namespacesResource is that of the objects of kind Namespace.
	namespacesResource = "namespaces"
	// namespaceMetrics stands in the path of a namespace's metric where others
	// have the resource.
	namespaceMetrics = "metrics"
)

// customQuery is what a request for custom metrics asks. By info it was
// authorized: the path is not looked at again.
func customQuery(info *genericapirequest.RequestInfo, request *http.Request) (*Query, error) {
	parts, namespace := info.Parts, info.Namespace
	q := &Query{Namespace: namespace}
	switch {
	case namespace == AllObjects:
		return nil, badRequest("%s is not a namespace: one namespace is asked for at a time", AllObjects)
	case len(parts) == 3 && parts[0] != namespacesResource && complete(request):
		q.Resource, q.Name, q.Metric = schema.ParseGroupResource(parts[0]), parts[1], parts[2]
		// "pods." is not another name of pods, to whom pods may be forbidden.
		if q.Resource.String() != parts[0] {
			return nil, notFound("there is no resource %q", parts[0])
		}
	case len(parts) == 2 && parts[0] == namespaceMetrics && namespace != "" && complete(request):
		q.Resource, q.Name, q.Metric = schema.GroupResource{Resource: namespacesResource}, namespace, parts[1]
		q.Namespace = ""
	case len(parts) == 1 && namespace != "",
		len(parts) == 3 && parts[0] == namespacesResource && parts[1] == namespace: // …/{namespace}/status
		return nil, badRequest("a metric of a namespace is at .../namespaces/{namespace}/metrics/{metric}, those of objects in it are at .../namespaces/{namespace}/{resource}[.{group}]/{name or *}/{metric}")
	default:
		return nil, notFound("there are no custom metrics at %s: those of objects in a namespace are at .../namespaces/{namespace}/{resource}[.{group}]/{name or *}/{metric}, "+
			"of a namespace at .../namespaces/{namespace}/metrics/{metric}, of other objects at .../{resource}[.{group}]/{name or *}/{metric}; the name of a metric has no slash",
			request.URL.Path)
	}
	p, err := parameters(request)
	if err != nil {
		return nil, err
	}
	if q.MetricSelector, err = p.selector("metricLabelSelector"); err != nil {
		return nil, err
	}
	if q.Selector, err = p.selector("labelSelector"); err != nil {
		return nil, err
	}
	if q.Name != AllObjects {
		q.Selector = labels.Everything() // it is over objects to choose from
	}
	return q, nil
}

// externalQuery is what a request for external metrics asks.
func externalQuery(info *genericapirequest.RequestInfo, request *http.Request) (*ExternalQuery, error) {
	switch {
	case info.Namespace == AllObjects:
		return nil, badRequest("%s is not a namespace: one namespace is asked for at a time", AllObjects)
	case len(info.Parts) != 1 || info.Namespace == "" || !complete(request):
		return nil, notFound("there are no external metrics at %s: they are at .../namespaces/{namespace}/{metric}; the name of a metric has no slash, and is neither status nor finalize",
			request.URL.Path)
	}
	p, err := parameters(request)
	if err != nil {
		return nil, err
	}
	selector, err := p.selector("labelSelector")
	if err != nil {
		return nil, err
	}
	return &ExternalQuery{Namespace: info.Namespace, Metric: info.Parts[0], Selector: selector}, nil
}

// complete is whether no part of the path is empty: where one is, RequestInfo
// takes others for something else than they are.
func complete(request *http.Request) bool { return !strings.Contains(request.URL.Path, "//") }

// query is the parameters of a request.
type query struct{ values url.Values }

// parameters are those of a request. What net/url leaves out of url.Query is an
// error here: a selector that is not there selects everything.
func parameters(request *http.Request) (query, error) {
	if request.URL.RawQuery == "" {
		return query{}, nil
	}
	values, err := url.ParseQuery(request.URL.RawQuery)
	if err != nil {
		return query{}, badRequest("parse the parameters: %v", err)
	}
	if values.Get("fieldSelector") != "" {
		return query{}, badRequest("metrics cannot be selected by fields (fieldSelector=%q): the name of an object is in the path", values.Get("fieldSelector"))
	}
	return query{values: values}, nil
}

// selector is the selector in a parameter; everything where there is none.
func (q query) selector(name string) (labels.Selector, error) {
	text := q.values.Get(name)
	if text == "" {
		return labels.Everything(), nil
	}
	// To labels.Parse a byte of 0 is the end, so that "\x00,tier=gold" would select
	// everything.
	if i := strings.IndexByte(text, 0); i >= 0 {
		return nil, badRequest("parse %s %q: a selector has no byte 0, as at %d", name, text, i)
	}
	selector, err := labels.Parse(text)
	if err != nil {
		return nil, badRequest("parse %s %q: %v", name, text, err)
	}
	return selector, nil
}
