// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// TestPaths holds, for each form of path through the whole chain, what is asked
// of the authorizer and of the provider.
func TestPaths(t *testing.T) {
	f := newFake()
	var custom []*Query
	var external []*ExternalQuery
	answerCustom, answerExternal := f.custom, f.external
	f.custom = func(ctx context.Context, q *Query, a *Answer) error {
		custom = append(custom, q)
		return answerCustom(ctx, q, a)
	}
	f.external = func(ctx context.Context, q *ExternalQuery) ([]ExternalValue, error) {
		external = append(external, q)
		return answerExternal(ctx, q)
	}
	server := serve(t, f)

	for _, c := range []struct {
		path string
		// verb, resource, namespace, name: what was authorized, a subresource
		// after a slash.
		verb, resource, namespace, name string
		// want is the provider's query: resource namespace/name metric selector
		// metricSelector.
		want string
	}{
		{
			"/namespaces/shop/pods/*/requests_per_second?labelSelector=app%3Dweb&metricLabelSelector=code+in+%28200%2C404%29",
			"get", "pods/requests_per_second", "shop", "*",
			"pods shop/* requests_per_second app=web code in (200,404)",
		},
		{
			"/namespaces/shop/pods/%2A/requests_per_second", "get", "pods/requests_per_second", "shop", "*",
			"pods shop/* requests_per_second  ",
		},
		{
			"/namespaces/shop/pods/*/queue:depth", "get", "pods/queue:depth", "shop", "*",
			"pods shop/* queue:depth  ",
		},
		{
			// A selector over objects says nothing of one that is named.
			"/namespaces/shop/pods/web-0/requests_per_second?labelSelector=app%3Dweb&metricLabelSelector=code", "get", "pods/requests_per_second", "shop", "web-0",
			"pods shop/web-0 requests_per_second  code",
		},
		{
			"/namespaces/shop/deployments.apps/web/requests_per_second", "get", "deployments.apps/requests_per_second", "shop", "web",
			"deployments.apps shop/web requests_per_second  ",
		},
		{
			// The protocol does not know which resources there are.
			"/namespaces/shop/ingresses.networking.k8s.io/web/requests_per_second", "get", "ingresses.networking.k8s.io/requests_per_second", "shop", "web",
			"ingresses.networking.k8s.io shop/web requests_per_second  ",
		},
		{
			"/namespaces/shop/metrics/requests_per_second?metricLabelSelector=code", "get", "metrics", "shop", "requests_per_second",
			"namespaces /shop requests_per_second  code",
		},
		{
			"/namespaces/shop/metrics/status", "get", "metrics", "shop", "status",
			"namespaces /shop status  ",
		},
		{
			"/nodes/*/load?labelSelector=zone", "get", "nodes/load", "", "*",
			"nodes /* load zone ",
		},
		{
			"/nodes/node-1/load", "get", "nodes/load", "", "node-1",
			"nodes /node-1 load  ",
		},
		{
			// Pods of all namespaces, for whoever may see those of all.
			"/pods/*/requests_per_second", "get", "pods/requests_per_second", "", "*",
			"pods /* requests_per_second  ",
		},
	} {
		for _, version := range []string{customV1beta1, customV1beta2} {
			custom = nil
			server.gate.takeAsked()
			got := server.get(version+c.path, asJSON)
			if got.code != http.StatusOK {
				t.Fatalf("%s: %d %s", c.path, got.code, got.body)
			}
			attributes := only(t, server.gate.takeAsked())
			if attributes.User.GetName() != "hpa" {
				t.Errorf("%s: from %s", c.path, attributes.User.GetName())
			}
			resource := strings.TrimSuffix(attributes.Resource+"/"+attributes.Subresource, "/")
			if !attributes.ResourceRequest || attributes.APIGroup != customGroup || attributes.Verb != c.verb ||
				resource != c.resource || attributes.Namespace != c.namespace || attributes.Name != c.name {
				t.Errorf("%s: authorized %+v", c.path, attributes)
			}
			q := only(t, custom)
			if text := strings.Join([]string{q.Resource.String(), q.Namespace + "/" + q.Name, q.Metric, q.Selector.String(), q.MetricSelector.String()}, " "); text != c.want {
				t.Errorf("%s: %q, want %q", c.path, text, c.want)
			}
		}
	}

	server.gate.takeAsked()
	if got := server.get(externalV1beta1+"/namespaces/shop/queue_messages?labelSelector=queue%3Da", asJSON); got.code != http.StatusOK {
		t.Fatalf("%d %s", got.code, got.body)
	}
	a := only(t, server.gate.takeAsked())
	if a.Verb != "list" || a.APIGroup != externalGroup || a.Resource != "queue_messages" || a.Subresource != "" || a.Namespace != "shop" || a.Name != "" {
		t.Errorf("authorized %+v", a)
	}
	if q := only(t, external); q.Namespace != "shop" || q.Metric != "queue_messages" || q.Selector.String() != "queue=a" {
		t.Errorf("%+v", q)
	}
}

// TestRefused holds the status codes of all that is no metric, each with a
// message that says what is wrong, and that no provider is asked.
func TestRefused(t *testing.T) {
	f := newFake()
	f.custom = func(_ context.Context, q *Query, _ *Answer) error {
		t.Errorf("asked %+v", q)
		return &NotFound{}
	}
	f.external = func(_ context.Context, q *ExternalQuery) ([]ExternalValue, error) {
		t.Errorf("asked %+v", q)
		return nil, &NotFound{}
	}
	server := serve(t, f)
	type refused struct {
		path    string
		code    int
		message string
	}
	both := []refused{
		{"/namespaces", 404, "there are no custom metrics at"},
		{"/namespaces/shop", 404, "there are no"},
		{"/pods", 404, "there are no"},
		{"/namespaces/shop/pods/web-0", 404, "there are no"},
		{"/namespaces/shop/pods/*", 404, "there are no"},
		{"/namespaces/shop/pods/*/requests/per_second", 404, "the name of a metric has no slash"},
		{"/namespaces/shop/pods/*/requests%2Fper_second", 404, "the name of a metric has no slash"},
		{"/namespaces/shop/metrics/a/b/c", 404, "there are no"},
		{"/namespaces/shop/pods//load", 404, "there are no"},
		{"/namespaces//pods/*/requests_per_second", 404, "there are no"},
		{"/namespaces//metrics/load", 404, "there are no"},
		{"//nodes/*/load", 404, "there are no"},
		{"/nodes/node-1", 404, "there are no"},
		{"/metrics/load", 404, "there are no"},
		{"/namespaces/shop/status/web/load", 404, "there are no"},
		{"/namespaces/shop/namespaces/other/requests_per_second", 404, "there are no"},
		{"/namespaces/shop/namespaces/*/requests_per_second", 404, "there are no"},
		{"/namespaces/shop/pods./*/requests_per_second", 404, `there is no resource "pods."`},
		{"/namespaces/shop/nodes/node-1/load", 404, "nodes are in no namespace, so metric load of node-1 cannot be asked for in namespace shop"},
		{"/namespaces/shop/nodes/*/load", 404, "nodes are in no namespace"},
		{"/pods/web-0/requests_per_second", 404, "pods are in namespaces"},
		{"/deployments.apps/web/requests_per_second", 404, "deployments.apps are in namespaces"},
		{"/namespaces/shop/requests_per_second", 400, ".../namespaces/{namespace}/metrics/{metric}"},
		{"/namespaces/shop/status", 400, ".../namespaces/{namespace}/metrics/{metric}"},
		{"/namespaces/*/requests_per_second", 400, "one namespace is asked for at a time"},
		{"/namespaces/*/metrics/requests_per_second", 400, "one namespace is asked for at a time"},
		{"/namespaces/*/pods/*/requests_per_second", 400, "one namespace is asked for at a time"},
		{"/namespaces/shop/pods/*/requests_per_second?labelSelector=a+b", 400, `parse labelSelector "a b"`},
		{"/namespaces/shop/pods/*/requests_per_second?metricLabelSelector=a+in+(", 400, "parse metricLabelSelector"},
		{"/namespaces/shop/pods/web-0/requests_per_second?labelSelector=%3D%3D", 400, "parse labelSelector"},
		{"/namespaces/shop/pods/*/requests_per_second?fieldSelector=metadata.name%3Dweb-0", 400, "fieldSelector"},
		// Half of an escape must not become no selector at all.
		{"/namespaces/shop/pods/*/requests_per_second?labelSelector=%zz", 400, "parse the parameters"},
		{"/namespaces/shop/pods/*/requests_per_second?a=b;labelSelector=app", 400, "parse the parameters"},
		{"/namespaces/shop/pods/*/requests_per_second?watch=true", 405, "watch is not supported"},
		{"/watch/namespaces/shop/pods/*/requests_per_second", 405, "watch is not supported"},
		{"/proxy/namespaces/shop/pods/*/requests_per_second", 405, "proxy is not supported"},
	}
	var all []refused
	for _, c := range both {
		for _, version := range []string{customV1beta1, customV1beta2} {
			all = append(all, refused{version + c.path, c.code, c.message})
		}
	}
	all = append(
		all,
		refused{"/apis/custom.metrics.k8s.io/v1", 404, "custom.metrics.k8s.io has no version v1"},
		refused{"/apis/custom.metrics.k8s.io/v1/namespaces/shop/pods/*/load", 404, "custom.metrics.k8s.io has no version v1"},
		refused{externalV1beta1 + "/namespaces/shop", 404, "there are no external metrics at"},
		refused{externalV1beta1 + "/sales", 404, "there are no external metrics at"},
		refused{externalV1beta1 + "/namespaces/shop/status", 404, "is neither status nor finalize"},
		refused{externalV1beta1 + "/namespaces/shop/sales/of/pods", 404, "the name of a metric has no slash"},
		refused{externalV1beta1 + "/namespaces/shop/sales%2Fof", 404, "the name of a metric has no slash"},
		refused{externalV1beta1 + "/namespaces//sales", 404, "there are no external metrics at"},
		refused{externalV1beta1 + "/namespaces/*/sales", 400, "one namespace is asked for at a time"},
		refused{externalV1beta1 + "/namespaces/shop/sales?labelSelector=a+b", 400, "parse labelSelector"},
		refused{externalV1beta1 + "/namespaces/shop/sales?fieldSelector=metadata.name%3Da", 400, "fieldSelector"},
		refused{externalV1beta1 + "/namespaces/shop/sales?watch=1", 405, "watch is not supported"},
		refused{externalV1beta1 + "/watch/namespaces/shop/sales", 405, "watch is not supported"},
		refused{"/apis/external.metrics.k8s.io/v1beta2/namespaces/shop/sales", 404, "external.metrics.k8s.io has no version v1beta2"},
	)
	for _, c := range all {
		for _, accept := range []string{asJSON, asHPA, "application/yaml"} {
			got := server.get(c.path, accept)
			if got.code != c.code {
				t.Errorf("%s: %d %s, want %d %s", c.path, got.code, got.body, c.code, c.message)
			}
			if accept != asJSON {
				continue
			}
			if message := checkStatus(t, got); !strings.Contains(message, c.message) {
				t.Errorf("%s: %q, want %q", c.path, message, c.message)
			}
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions} {
		for _, path := range []string{
			customV1beta2 + "/namespaces/shop/pods/*/requests_per_second", externalV1beta1 + "/namespaces/shop/sales",
			"/apis/custom.metrics.k8s.io", customV1beta1,
		} {
			got := server.do(method, path, asJSON)
			if got.code != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET" {
				t.Errorf("%s %s: %d, %v", method, path, got.code, got.header)
			}
			if method != http.MethodHead {
				checkStatus(t, got)
			}
		}
	}
}

// checkStatus checks that an error is a Status that says so itself, and returns
// its message.
func checkStatus(t *testing.T, got answer) string {
	t.Helper()
	var status metav1.Status
	if err := json.Unmarshal(got.body, &status); err != nil {
		t.Errorf("%s: %v", got.body, err)
	}
	if status.Kind != "Status" || status.APIVersion != "v1" || status.Status != metav1.StatusFailure || int(status.Code) != got.code || status.Reason == "" || status.Message == "" {
		t.Errorf("%+v", status)
	}
	return status.Message
}

// TestForbidden: whoever may not is told so, and no provider is asked; what is
// authorized in one namespace is of no use in another.
func TestForbidden(t *testing.T) {
	f := newFake()
	server := serve(t, f)
	server.gate.refuse = func(a authorizer.Attributes) bool { return a.IsResourceRequest() && a.GetNamespace() != "shop" }
	for path, code := range map[string]int{
		customV1beta2 + "/namespaces/shop/pods/*/requests_per_second":           200,
		customV1beta2 + "/namespaces/shop/metrics/requests_per_second":          200,
		externalV1beta1 + "/namespaces/shop/sales":                              200,
		customV1beta2 + "/namespaces/other/pods/*/requests_per_second":          403,
		customV1beta2 + "/namespaces/other/metrics/requests_per_second":         403,
		customV1beta2 + "/pods/*/requests_per_second":                           403,
		customV1beta2 + "/nodes/*/load":                                         403,
		customV1beta2 + "/namespaces/shop/../other/pods/*/x":                    404,
		customV1beta2 + "/namespaces/shop/namespaces/other/requests_per_second": 404,
		customV1beta2 + "/namespaces/shop/nodes/node-1/load":                    404,
		externalV1beta1 + "/namespaces/other/sales":                             403,
		externalV1beta1 + "/namespaces/shop%2F..%2Fother/sales":                 404,
	} {
		if got := server.get(path, asJSON); got.code != code {
			t.Errorf("%s: %d %s, want %d", path, got.code, got.body, code)
		}
	}

	// Nobody is nobody.
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+customV1beta2+"/namespaces/shop/pods/*/requests_per_second", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a user: %d", response.StatusCode)
	}
}
