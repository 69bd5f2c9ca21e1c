// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	apidiscovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// contractConfig has rules for the requests that no metric of the catalogue
// answers: about other objects, with a selector over a metric's own labels, and
// external ones.
const contractConfig = `apiVersion: metrics-apiserver/v1alpha1
kind: Configuration
rules:
- name: rss_bytes
  attach: {resource: services, label: label_app}
  expr: sum by (label_app) (container_memory_rss)
- name: rss_bytes
  attach: {group: apps, resource: deployments, label: workload}
  expr: sum by (workload) (container_memory_rss)
- name: container_rss_bytes
  attach: {resource: pods}
  expr: sum by (pod, container) (container_memory_rss{container!=""})
- name: team_rss_bytes
  attach: {external: true}
  expr: sum by (label_app) (container_memory_rss)
  namespaces: [shop]
`

// What contractConfig's rules come to, in thousandths: a container's RSS is half of
// its 64 MiB, and shop has 3 pods of web and one of db, of two containers each.
const (
	containerRSS = 32 << 20 * 1000
	webRSS       = 6 * containerRSS
	dbRSS        = 2 * containerRSS
)

// testContract asks for every kind of path that the protocols have, well-formed and
// not, as `kubectl get --raw` would, and looks at what no client shows: the members
// of the items, codes, media types and headers.
func testContract(t *testing.T, s *site) {
	client, err := rest.HTTPClientFor(s.config)
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		code              int
		contentType, body string
	}
	ask := func(method, path, accept string) answer {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, s.Server()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", accept)
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		// client-go would sleep on it, inside one of the HPA's few workers.
		if response.Header.Get("Retry-After") != "" {
			t.Errorf("%s %s: %s has Retry-After", method, path, response.Status)
		}
		return answer{response.StatusCode, response.Header.Get("Content-Type"), string(body)}
	}
	members := map[string][]string{
		"v1beta1":  {"describedObject", "metricName", "selector", "timestamp", "value", "window"},
		"v1beta2":  {"describedObject", "metric", "timestamp", "value", "windowSeconds"},
		"external": {"metricLabels", "metricName", "timestamp", "value", "window"},
	}
	const table = "application/json;as=Table;g=meta.k8s.io;v=v1"
	answered := func(version, path string, items int) {
		t.Helper()
		kind := "MetricValueList"
		if version == "external" {
			kind = "ExternalMetricValueList"
		}
		got := ask(http.MethodGet, path, "application/json")
		var list struct {
			Kind, APIVersion string
			Items            []map[string]any
		}
		if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.code != http.StatusOK || len(list.Items) != items || list.Kind != kind || !strings.HasPrefix(path, "/apis/"+list.APIVersion+"/") {
			t.Errorf("%s: %d, %v, want %d items: %s", path, got.code, err, items, got.body)
			return
		}
		for _, item := range list.Items {
			if got := slices.Sorted(maps.Keys(item)); !slices.Equal(got, members[version]) {
				t.Errorf("%s: an item has %v, want %v", path, got, members[version])
			}
		}
		for accept, want := range map[string]string{
			"*/*": "application/json", "application/yaml": "application/yaml",
			wireProtobuf + ", */*":          wireProtobuf, // The HPA's own.
			table + ",application/json;q=1": "application/json",
		} {
			if got := ask(http.MethodGet, path, accept); got.code != http.StatusOK || got.contentType != want {
				t.Errorf("%s as %s: %+v", path, accept, got)
			}
		}
		if got := ask(http.MethodGet, path, table); got.code != http.StatusNotAcceptable {
			t.Errorf("%s as a table: %+v", path, got)
		}
		if got := ask(http.MethodGet, path+"?watch=true", "application/json"); got.code != http.StatusMethodNotAllowed {
			t.Errorf("watch %s: %+v", path, got)
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if got := ask(method, path, "application/json"); got.code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %+v", method, path, got)
			}
		}
	}
	refused := func(path string, code int, says string) {
		t.Helper()
		got := ask(http.MethodGet, path, "application/json")
		var status metav1.Status
		if err := json.Unmarshal([]byte(got.body), &status); err != nil || got.code != code || int(status.Code) != code || !strings.Contains(status.Message, says) {
			t.Errorf("%s: %d, want %d and %q: %s", path, got.code, code, says, got.body)
		}
	}

	for _, version := range []string{"v1beta1", "v1beta2"} {
		base := "/apis/custom.metrics.k8s.io/" + version
		for path, items := range map[string]int{
			"/namespaces/shop/pods/*/memory_rss_bytes":       4,
			"/namespaces/shop/pods/%2A/memory_rss_bytes":     4,
			"/namespaces/shop/services/web/rss_bytes":        1,
			"/namespaces/shop/deployments.apps/db/rss_bytes": 1,
			"/namespaces/shop/metrics/memory_rss_bytes":      1,
			"/nodes/*/cpu_usage_cores":                       2,
			"/nodes/node-1/cpu_usage_cores":                  1,
			"/pods/*/memory_rss_bytes":                       4,
		} {
			answered(version, base+path, items)
		}
		for path, c := range map[string]struct {
			code int
			says string
		}{
			"/namespaces/shop/pods/*/no_such_metric":                                       {404, "there is no metric no_such_metric"},
			"/namespaces/shop/pods/no-such-pod/memory_rss_bytes":                           {404, "no-such-pod"},
			"/namespaces/shop/pods/*/memory_rss_bytes?labelSelector=app%3Dnone":            {404, `selector "app=none"`},
			"/namespaces/shop/pods/*/container_rss_bytes":                                  {404, "several results"},
			"/namespaces/shop/pods/*/container_rss_bytes?metricLabelSelector=container%3D": {404, "container"},
			"/namespaces/shop/services/no-such-service/rss_bytes":                          {404, "no-such-service"},
			"/namespaces/no-such-namespace/metrics/memory_rss_bytes":                       {404, "no-such-namespace"},
			"/nodes/no-such-node/cpu_usage_cores":                                          {404, "no-such-node"},
			"/namespaces/shop/pods/*":                                                      {404, "there are no custom metrics at"},
			"/namespaces/shop/pods/*/memory/rss_bytes":                                     {404, "the name of a metric has no slash"},
			"/namespaces/shop/memory_rss_bytes":                                            {400, "/metrics/{metric}"},
			"/namespaces/shop/pods/*/memory_rss_bytes?labelSelector=a+b":                   {400, "parse labelSelector"},
			"/namespaces/shop/pods/*/memory_rss_bytes?metricLabelSelector=a+in+(":          {400, "parse metricLabelSelector"},
			"/namespaces/shop/pods/*/memory_rss_bytes?fieldSelector=metadata.name%3Dweb":   {400, "fieldSelector"},
		} {
			refused(base+path, c.code, c.says)
		}
	}
	answered("external", externalPath+"/namespaces/shop/team_rss_bytes", 2)
	for path, c := range map[string]struct {
		code int
		says string
	}{
		"/namespaces/shop/no_such_metric":                                {404, "there is no external metric no_such_metric in namespace shop"},
		"/namespaces/other/team_rss_bytes":                               {404, "there is no external metric team_rss_bytes in namespace other"},
		"/namespaces/shop/team_rss_bytes?labelSelector=label_app%3Dnone": {404, "team_rss_bytes"},
		"/namespaces/shop/team/rss_bytes":                                {404, "the name of a metric has no slash"},
		"/namespaces/shop/team_rss_bytes?labelSelector=a+b":              {400, "parse labelSelector"},
	} {
		refused(externalPath+path, c.code, c.says)
	}
}

// testContractDiscovery: the group list, the versions' own lists and the aggregated
// document say the same, kube-apiserver's word for the last being that it is
// current, and clients that read them find no contradiction.
func testContractDiscovery(t *testing.T, s *site) {
	for group, versions := range map[string][]string{"custom.metrics.k8s.io": {"v1beta2", "v1beta1"}, "external.metrics.k8s.io": {"v1beta1"}} {
		raw, err := s.client.CoreV1().RESTClient().Get().AbsPath("/apis", group).DoRaw(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var list metav1.APIGroup
		if err := json.Unmarshal(raw, &list); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, version := range list.Versions {
			got = append(got, version.Version)
		}
		if !slices.Equal(got, versions) || list.PreferredVersion.Version != versions[0] {
			t.Errorf("%s has %v and prefers %s, want %v", group, got, list.PreferredVersion.Version, versions)
		}
	}
	want := map[string]string{ // scope and kind by resource
		"custom.metrics.k8s.io/v1beta1 pods/container_rss_bytes":    "true MetricValueList",
		"custom.metrics.k8s.io/v1beta2 pods/memory_rss_bytes":       "true MetricValueList",
		"custom.metrics.k8s.io/v1beta2 services/rss_bytes":          "true MetricValueList",
		"custom.metrics.k8s.io/v1beta1 deployments.apps/rss_bytes":  "true MetricValueList",
		"custom.metrics.k8s.io/v1beta2 nodes/cpu_usage_cores":       "false MetricValueList",
		"custom.metrics.k8s.io/v1beta1 namespaces/memory_rss_bytes": "false MetricValueList",
		"external.metrics.k8s.io/v1beta1 team_rss_bytes":            "true ExternalMetricValueList",
	}
	for _, legacy := range []bool{true, false} {
		client, err := discovery.NewDiscoveryClientForConfig(s.config)
		if err != nil {
			t.Fatal(err)
		}
		client.UseLegacyDiscovery = legacy
		// kube-apiserver asks us for the aggregated document when APIServices
		// change, and then once a minute.
		eventually(t, 2*time.Minute, fmt.Sprintf("discovery, legacy: %v", legacy), func(context.Context) error {
			_, lists, err := client.ServerGroupsAndResources()
			if err != nil {
				return err
			}
			got := map[string]string{}
			for _, list := range lists {
				for i := range list.APIResources {
					r := &list.APIResources[i]
					if slices.Contains(r.Verbs, "get") {
						got[list.GroupVersion+" "+r.Name] = fmt.Sprint(r.Namespaced, " ", r.Kind)
					}
				}
			}
			for resource, is := range want {
				if got[resource] != is {
					return fmt.Errorf("%s is %q, want %q", resource, got[resource], is)
				}
			}
			return nil
		})
	}
	raw, err := s.client.CoreV1().RESTClient().Get().AbsPath("/apis").SetHeader("Accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var aggregated apidiscovery.APIGroupDiscoveryList
	if err := json.Unmarshal(raw, &aggregated); err != nil {
		t.Fatal(err)
	}
	current := 0
	for _, group := range aggregated.Items {
		for _, version := range group.Versions {
			if strings.HasSuffix(group.Name, ".metrics.k8s.io") && version.Freshness == apidiscovery.DiscoveryFreshnessCurrent {
				current++
			}
		}
	}
	if current != 3 {
		t.Errorf("%d versions are current, want 3", current)
	}
}

// testContractAuthorization: who may read a metric of a namespace, and an external
// one, are rights of their own.
func testContractAuthorization(t *testing.T, s *site) {
	role := `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: shop, name: totals}
rules:
- {apiGroups: [custom.metrics.k8s.io], resources: [metrics], resourceNames: [memory_rss_bytes], verbs: [get]}
- {apiGroups: [external.metrics.k8s.io], resources: [team_rss_bytes], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: shop, name: totals}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: totals}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: totals}]
`
	if err := s.Apply(t.Context(), []byte(role)); err != nil {
		t.Fatal(err)
	}
	as := func(path string) error {
		_, err := s.Kubectl(t.Context(), "get", "--as=totals", "--raw", path)
		return err
	}
	for _, path := range []string{customPath + "/namespaces/shop/metrics/memory_rss_bytes", externalPath + "/namespaces/shop/team_rss_bytes"} {
		eventually(t, 30*time.Second, "who may read "+path, func(context.Context) error { return as(path) })
	}
	for _, path := range []string{
		customPath + "/namespaces/shop/metrics/threads", customPath + "/namespaces/shop/pods/*/memory_rss_bytes",
		externalPath + "/namespaces/shop/other_bytes", externalPath + "/namespaces/other/team_rss_bytes",
	} {
		if err := as(path); err == nil || !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("%s: %v, want forbidden", path, err)
		}
	}
}
