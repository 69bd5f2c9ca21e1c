// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// FuzzPath asks for arbitrary paths below both groups. Whatever is asked, what
// the provider would be asked is what was authorized, no more: the namespace, the
// resource and the metric that the authorizer saw, and selectors that mean what
// they say.
func FuzzPath(f *testing.F) {
	for _, seed := range []struct{ path, query string }{
		{"/namespaces/shop/pods/*/requests_per_second", "labelSelector=app%3Dweb&metricLabelSelector=code+in+%28200%2C404%29"},
		{"/namespaces/shop/pods/web-0/requests_per_second", "metricLabelSelector=code"},
		{"/namespaces/shop/metrics/orders", ""},
		{"/nodes/node-1/load", ""},
		{"/nodes.example.com/*/load", "labelSelector=%21a"},
		{"/namespaces/shop/queue_depth", "labelSelector=queue%3Da"},
		{"/namespaces/*/pods/*/m", ""},
		{"/namespaces//pods/*/m", ""},
		{"//namespaces/shop/pods/*/m", ""},
		{"/namespaces/shop/pods./a/m", ""},
		{"/namespaces/shop/pods/../secrets/m", ""},
		{"/namespaces/shop/pods/%2e%2e/m", "labelSelector=%zz"},
		{"/namespaces/shop/status", "fieldSelector=a%3Db"},
		{"/proxy/namespaces/shop/pods/a/m", ""},
		{"/watch/namespaces/shop/pods/a/m", "watch=true"},
		{"/namespaces/shop/pods/a/m/n", ";"},
	} {
		f.Add(seed.path, seed.query, true)
		f.Add(seed.path, seed.query, false)
	}
	resolver := &genericapirequest.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}
	f.Fuzz(func(t *testing.T, path, query string, custom bool) {
		base := externalV1beta1
		if custom {
			base = customV1beta2
		}
		request := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: base + path, RawQuery: query}}
		info, err := resolver.NewRequestInfo(request)
		if err != nil || !info.IsResourceRequest || otherVerb(info, request) != "" {
			return
		}
		if !custom {
			q, err := externalQuery(info, request)
			if err != nil {
				return
			}
			if q.Namespace == "" || q.Namespace != info.Namespace || q.Metric == "" || q.Metric != info.Resource || info.Subresource != "" || strings.Contains(q.Metric, "/") {
				t.Errorf("%q: asked for %+v, authorized %+v", path, q, info)
			}
			checkSelector(t, q.Selector, query, "labelSelector")
			return
		}
		q, err := customQuery(info, request)
		if err != nil {
			return
		}
		resource, name, namespace := q.Resource.String(), q.Name, q.Namespace
		if resource == namespacesResource {
			// A namespace's metric is authorized in the namespace.
			resource, namespace, name = namespaceMetrics, q.Name, q.Metric
			if q.Metric != info.Name || info.Subresource != "" {
				t.Errorf("%q: asked for %+v, authorized %+v", path, q, info)
			}
		} else if q.Metric != info.Subresource {
			t.Errorf("%q: asked for %+v, authorized %+v", path, q, info)
		}
		if resource != info.Resource || name != info.Name || namespace != info.Namespace || q.Metric == "" || strings.Contains(q.Metric+q.Name, "/") || q.Namespace == AllObjects {
			t.Errorf("%q: asked for %+v, authorized %+v", path, q, info)
		}
		checkSelector(t, q.MetricSelector, query, "metricLabelSelector")
		if q.Name == AllObjects {
			checkSelector(t, q.Selector, query, "labelSelector")
		}
	})
}

// checkSelector holds that a selector that was accepted is the one in the query,
// and can be written and read again.
func checkSelector(t *testing.T, selector labels.Selector, query, name string) {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Errorf("%q was accepted: %v", query, err)
		return
	}
	if selector.Empty() != (strings.Trim(values.Get(name), " \t\r\n,") == "") {
		t.Errorf("%s in %q became %q", name, query, selector)
	}
	again, err := labels.Parse(selector.String())
	if err != nil || again.String() != selector.String() {
		t.Errorf("%q reads as %v, %v", selector, again, err)
	}
}
