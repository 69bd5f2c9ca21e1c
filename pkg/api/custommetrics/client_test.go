// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	"k8s.io/metrics/pkg/client/custom_metrics"
	"k8s.io/metrics/pkg/client/external_metrics"
)

// mapper knows the kinds that the tests ask for.
func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper([]schema.GroupVersion{{Version: "v1"}, {Group: "apps", Version: "v1"}})
	m.Add(schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, meta.RESTScopeNamespace)
	m.Add(schema.GroupVersionKind{Version: "v1", Kind: "Node"}, meta.RESTScopeRoot)
	m.Add(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, meta.RESTScopeNamespace)
	return m
}

func mustParse(t *testing.T, selector string) labels.Selector {
	t.Helper()
	parsed, err := labels.Parse(selector)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestCustomClient: the clients of the HPA get what the provider answered, in both
// versions and encodings, and the version that discovery prefers.
func TestCustomClient(t *testing.T) {
	f := newFake()
	var asked []Query
	answerOf := f.custom
	f.custom = func(ctx context.Context, q *Query, a *Answer) error {
		asked = append(asked, *q)
		return answerOf(ctx, q, a)
	}
	server := serve(t, f)
	for _, contentType := range []string{asJSON, asHPA} {
		config := server.config(contentType)
		discovered, err := discovery.NewDiscoveryClientForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		available := custom_metrics.NewAvailableAPIsGetter(discovered)
		if version, err := available.PreferredVersion(); err != nil || version != v1beta2.SchemeGroupVersion {
			t.Errorf("preferred %v, %v", version, err)
		}
		clients := []custom_metrics.CustomMetricsClient{custom_metrics.NewForConfig(config, mapper(), available)}
		for _, version := range customVersions() {
			client, err := custom_metrics.NewForVersionForConfig(config, mapper(), version)
			if err != nil {
				t.Fatal(err)
			}
			clients = append(clients, client)
		}
		for _, client := range clients {
			asked = nil
			checkCustomClient(t, client, config)
			if len(asked) != 5 {
				t.Fatalf("asked %+v", asked)
			}
			if q := asked[0]; q.Selector.String() != "app=web,tier in (a,b)" || q.MetricSelector.String() != "code=200" || q.Name != AllObjects {
				t.Errorf("asked %+v", q)
			}
		}
	}
}

func checkCustomClient(t *testing.T, client custom_metrics.CustomMetricsClient, config *rest.Config) {
	t.Helper()
	pod := schema.GroupKind{Kind: "Pod"}
	list, err := client.NamespacedMetrics("shop").GetForObjects(pod, mustParse(t, "app=web,tier in (a,b)"), "requests_per_second", mustParse(t, "code=200"))
	if err != nil {
		t.Fatal(config.AcceptContentTypes, err)
	}
	if len(list.Items) != 2 {
		t.Fatalf("%+v", list)
	}
	item := list.Items[0]
	if item.DescribedObject != (corev1.ObjectReference{Kind: "Pod", APIVersion: "v1", Namespace: "shop", Name: "web-0"}) ||
		item.Metric.Name != "requests_per_second" || item.Metric.Selector.MatchLabels["code"] != "200" ||
		item.Timestamp.Unix() != sampled.Time().Unix() || *item.WindowSeconds != 15 || item.Value.MilliValue() != 1500 {
		t.Errorf("%+v", item)
	}
	if *list.Items[1].WindowSeconds != 0 || list.Items[1].Value.MilliValue() != 2_000_000 {
		t.Errorf("%+v", list.Items[1])
	}
	for _, c := range []struct {
		metrics custom_metrics.MetricsInterface
		kind    schema.GroupKind
		name    string
		want    corev1.ObjectReference
	}{
		{
			client.NamespacedMetrics("shop"),
			schema.GroupKind{Group: "apps", Kind: "Deployment"},
			"web",
			corev1.ObjectReference{Kind: "Deployment", APIVersion: "apps/v1", Namespace: "shop", Name: "web"},
		},
		{
			client.RootScopedMetrics(),
			schema.GroupKind{Kind: "Namespace"},
			"shop",
			corev1.ObjectReference{Kind: "Namespace", APIVersion: "v1", Name: "shop"},
		},
		{
			client.RootScopedMetrics(),
			schema.GroupKind{Kind: "Node"},
			"node-1",
			corev1.ObjectReference{Kind: "Node", APIVersion: "v1", Name: "node-1"},
		},
	} {
		value, err := c.metrics.GetForObject(c.kind, c.name, "load", labels.Everything())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if value.DescribedObject != c.want || value.Metric.Selector != nil || value.Value.MilliValue() != 2_000_000 {
			t.Errorf("%+v", value)
		}
	}
	if list, err := client.RootScopedMetrics().GetForObjects(schema.GroupKind{Kind: "Node"}, labels.Everything(), "load", labels.Everything()); err != nil || len(list.Items) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	// What has a slash becomes two parts of a path, in the client already.
	_, err = client.NamespacedMetrics("shop").GetForObjects(schema.GroupKind{Kind: "Pod"}, labels.Everything(), "requests/per_second", labels.Everything())
	if err == nil {
		t.Error("a metric with a slash is there")
	}
}

// TestClientMessage: a provider's reason comes through as it is, which is what an
// HPA's condition shows.
func TestClientMessage(t *testing.T) {
	const reason = `no value of metric x in namespace shop: 3 running pods with selector "app=web", none of which has a fresh value`
	f := newFake()
	f.custom = func(context.Context, *Query, *Answer) error { return &NotFound{Message: reason} }
	f.external = func(context.Context, *ExternalQuery) ([]ExternalValue, error) {
		return nil, &NotFound{Message: reason}
	}
	server := serve(t, f)
	for _, contentType := range []string{asJSON, asHPA} {
		client, err := custom_metrics.NewForVersionForConfig(server.config(contentType), mapper(), v1beta2.SchemeGroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.NamespacedMetrics("shop").GetForObjects(schema.GroupKind{Kind: "Pod"}, labels.Everything(), "x", labels.Everything())
		if !apierrors.IsNotFound(err) || err.Error() != reason {
			t.Errorf("%v", err)
		}
		external, err := external_metrics.NewForConfig(server.config(contentType))
		if err != nil {
			t.Fatal(err)
		}
		_, err = external.NamespacedMetrics("shop").List("x", labels.Everything())
		if !apierrors.IsNotFound(err) || err.Error() != reason {
			t.Errorf("%v", err)
		}
	}
}

// TestExternalClient: so does the client of external metrics.
func TestExternalClient(t *testing.T) {
	f := newFake()
	var selector string
	answerOf := f.external
	f.external = func(ctx context.Context, q *ExternalQuery) ([]ExternalValue, error) {
		selector = q.Namespace + " " + q.Metric + " " + q.Selector.String()
		return answerOf(ctx, q)
	}
	server := serve(t, f)
	for _, contentType := range []string{asJSON, asHPA} {
		client, err := external_metrics.NewForConfig(server.config(contentType))
		if err != nil {
			t.Fatal(err)
		}
		list, err := client.NamespacedMetrics("shop").List("queue_messages", mustParse(t, "queue!=c"))
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Items) != 2 || selector != "shop queue_messages queue!=c" {
			t.Fatalf("%s: %+v", selector, list)
		}
		item := list.Items[0]
		if item.MetricName != "queue_messages" || item.MetricLabels["queue"] != "b" || len(item.MetricLabels) != 2 ||
			item.Timestamp.Unix() != sampled.Time().Unix() || *item.WindowSeconds != 30 || item.Value.MilliValue() != 12_345 {
			t.Errorf("%+v", item)
		}
		if list.Items[1].Value.MilliValue() != -7 {
			t.Errorf("%+v", list.Items[1])
		}
		if _, err := client.NamespacedMetrics("shop").List("queue/messages", labels.Everything()); err == nil || strings.Contains(err.Error(), "panic") {
			t.Errorf("a metric with a slash: %v", err)
		}
	}
}
