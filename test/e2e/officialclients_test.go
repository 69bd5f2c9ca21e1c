// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	custommetricsv1beta1 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	"k8s.io/metrics/pkg/client/custom_metrics"
	"k8s.io/metrics/pkg/client/external_metrics"
)

// wireProtobuf is what the HPA's clients accept.
const wireProtobuf = "application/vnd.kubernetes.protobuf"

// recorded notes the media types of answers.
type recorded struct {
	next  http.RoundTripper
	mu    sync.Mutex
	types map[string]int
}

func (r *recorded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	if err == nil {
		mediaType, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
		r.mu.Lock()
		r.types[mediaType]++
		r.mu.Unlock()
	}
	return response, err
}

// testOfficialClients has the clients of k8s.io/metrics, which the HPA has, ask for
// all that there is, as the HPA makes them, in each version and encoding.
func testOfficialClients(t *testing.T, s *site) {
	for contentType, accept := range map[string]string{"application/json": "application/json", wireProtobuf: wireProtobuf + ",*/*"} {
		config := rest.CopyConfig(s.config)
		config.QPS = -1
		discovered, err := discovery.NewDiscoveryClientForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discovered))
		config.ContentType, config.AcceptContentTypes = contentType, accept
		answers := &recorded{types: map[string]int{}}
		config.Wrap(func(next http.RoundTripper) http.RoundTripper {
			answers.next = next
			return answers
		})
		available := custom_metrics.NewAvailableAPIsGetter(discovered)
		if version, err := available.PreferredVersion(); err != nil || version != custommetricsv1beta2.SchemeGroupVersion {
			t.Errorf("preferred is %v, %v", version, err)
		}
		clients := map[string]custom_metrics.CustomMetricsClient{"the preferred version": custom_metrics.NewForConfig(config, mapper, available)}
		for _, version := range []schema.GroupVersion{custommetricsv1beta1.SchemeGroupVersion, custommetricsv1beta2.SchemeGroupVersion} {
			if clients[version.Version], err = custom_metrics.NewForVersionForConfig(config, mapper, version); err != nil {
				t.Fatal(err)
			}
		}
		external, err := external_metrics.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		for version, client := range clients {
			eventually(t, time.Minute, fmt.Sprintf("custom metrics as %s in %s", contentType, version), func(context.Context) error {
				return errors.Join(checkCustomClient(client)...)
			})
		}
		eventually(t, time.Minute, "external metrics as "+contentType, func(context.Context) error {
			return errors.Join(checkExternalClient(external)...)
		})
		if len(answers.types) != 1 || answers.types[contentType] == 0 {
			t.Errorf("asked for %s, the answers are %v", contentType, answers.types)
		}
	}
}

// checkCustomClient asks as the HPA does, and in all other ways that the client has.
func checkCustomClient(client custom_metrics.CustomMetricsClient) (errs []error) {
	shop, root := client.NamespacedMetrics("shop"), client.RootScopedMetrics()
	everything, pod, node := labels.Everything(), schema.GroupKind{Kind: "Pod"}, schema.GroupKind{Kind: "Node"}
	value := func(v *custommetricsv1beta2.MetricValue, metric string, want, tolerance int64) {
		errs = append(errs, within(v.DescribedObject.Kind+" "+v.DescribedObject.Name, v.Value.MilliValue(), want, tolerance))
		if age := time.Since(v.Timestamp.Time); v.Metric.Name != metric || v.WindowSeconds == nil || age < -2*time.Second || age > time.Minute {
			errs = append(errs, fmt.Errorf("of %v ago: %+v", age, v))
		}
	}

	main := labels.SelectorFromSet(labels.Set{"container": "main"})
	list, err := shop.GetForObjects(pod, labels.SelectorFromSet(labels.Set{"app": "web"}), "container_rss_bytes", main)
	switch {
	case err != nil:
		errs = append(errs, err)
	case len(list.Items) != 3:
		errs = append(errs, fmt.Errorf("%d pods: %+v", len(list.Items), list))
	default:
		for i := range list.Items {
			item := &list.Items[i]
			value(item, "container_rss_bytes", containerRSS, 0)
			if item.DescribedObject.APIVersion != "v1" || item.DescribedObject.Namespace != "shop" || item.Metric.Selector == nil || item.Metric.Selector.MatchLabels["container"] != "main" {
				errs = append(errs, fmt.Errorf("%+v", item))
			}
		}
		one, err := shop.GetForObject(pod, list.Items[0].DescribedObject.Name, "memory_rss_bytes", everything)
		if errs = append(errs, err); err == nil {
			value(one, "memory_rss_bytes", 2*containerRSS, 0)
		}
	}
	for _, c := range []struct {
		asked           custom_metrics.MetricsInterface
		kind            schema.GroupKind
		name, metric    string
		apiVersion      string
		want, tolerance int64
	}{
		{shop, schema.GroupKind{Kind: "Service"}, "web", "rss_bytes", "v1", webRSS, 0},
		{shop, schema.GroupKind{Group: "apps", Kind: "Deployment"}, "web", "rss_bytes", "apps/v1", webRSS, 0},
		{root, schema.GroupKind{Kind: "Namespace"}, "shop", "memory_rss_bytes", "v1", webRSS + dbRSS, 0},
		{root, node, "node-0", "cpu_usage_cores", "v1", 500, 60},
	} {
		v, err := c.asked.GetForObject(c.kind, c.name, c.metric, everything)
		if errs = append(errs, err); err != nil {
			continue
		}
		value(v, c.metric, c.want, c.tolerance)
		if v.DescribedObject.Kind != c.kind.Kind || v.DescribedObject.Name != c.name || v.DescribedObject.APIVersion != c.apiVersion {
			errs = append(errs, fmt.Errorf("%s is %+v", c.name, v))
		}
	}
	if list, err := root.GetForObjects(node, everything, "cpu_usage_cores", everything); err != nil || len(list.Items) != 2 {
		errs = append(errs, fmt.Errorf("nodes: %+v, %w", list, err))
	}
	// What the HPA shows people is the message of such an error.
	_, err = shop.GetForObjects(pod, everything, "no_such_metric", everything)
	if !apierrors.IsNotFound(err) || !strings.Contains(err.Error(), "no_such_metric") {
		errs = append(errs, fmt.Errorf("a metric that does not exist: %w", err))
	}
	return errs
}

func checkExternalClient(client external_metrics.ExternalMetricsClient) (errs []error) {
	shop := client.NamespacedMetrics("shop")
	if list, err := shop.List("team_rss_bytes", labels.SelectorFromSet(labels.Set{"label_app": "none"})); !apierrors.IsNotFound(err) {
		errs = append(errs, fmt.Errorf("nothing is selected: %+v, %w", list, err))
	}
	for selector, want := range map[string]map[string]int64{
		"":              {"web": webRSS, "db": dbRSS},
		"label_app=web": {"web": webRSS},
	} {
		parsed, err := labels.Parse(selector)
		if err != nil {
			return append(errs, err)
		}
		list, err := shop.List("team_rss_bytes", parsed)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		got := map[string]int64{}
		for i := range list.Items {
			item := &list.Items[i]
			if age := time.Since(item.Timestamp.Time); item.MetricName != "team_rss_bytes" || item.WindowSeconds == nil || age < -2*time.Second || age > time.Minute {
				errs = append(errs, fmt.Errorf("of %v ago: %+v", age, item))
			}
			got[item.MetricLabels["label_app"]] = item.Value.MilliValue()
		}
		if !maps.Equal(got, want) {
			errs = append(errs, fmt.Errorf("%q: %v, want %v", selector, got, want))
		}
	}
	return errs
}
