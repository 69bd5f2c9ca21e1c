// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	apidiscovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (e *endpoint) decode(path, accept string, into any) answer {
	e.t.Helper()
	got := e.do(http.MethodGet, path, accept, "")
	if got.code != http.StatusOK {
		e.t.Fatalf("GET %s: %d: %s", path, got.code, got.body)
	}
	if err := json.Unmarshal(got.body, into); err != nil {
		e.t.Fatalf("GET %s: %v", path, err)
	}
	return got
}

// TestLegacyDiscovery holds the groups and resources as clients before
// aggregated discovery read them.
func TestLegacyDiscovery(t *testing.T) {
	server := serve(t, newWorld(t))
	check := func(group *metav1.APIGroup) {
		t.Helper()
		if group.Name != "metrics.k8s.io" || group.PreferredVersion.GroupVersion != "metrics.k8s.io/v1" {
			t.Errorf("group %+v", group)
		}
		names := make([]string, 0, len(group.Versions))
		for _, v := range group.Versions {
			names = append(names, v.GroupVersion)
		}
		if want := []string{"metrics.k8s.io/v1", "metrics.k8s.io/v1beta1"}; !slices.Equal(names, want) {
			t.Errorf("versions %v, want %v", names, want)
		}
	}
	var groups metav1.APIGroupList
	server.decode("/apis", asJSON, &groups)
	if len(groups.Groups) != 1 {
		t.Fatalf("groups %+v", groups.Groups)
	}
	check(&groups.Groups[0])
	var group metav1.APIGroup
	server.decode("/apis/metrics.k8s.io", asJSON, &group)
	check(&group)

	for _, version := range versions {
		var resources metav1.APIResourceList
		got := server.decode("/apis/metrics.k8s.io/"+version, asJSON, &resources)
		// metrics-server's answer to the letter, but for the version.
		want := `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"metrics.k8s.io/` + version + `","resources":[` +
			`{"name":"nodes","singularName":"","namespaced":false,"kind":"NodeMetrics","verbs":["get","list"]},` +
			`{"name":"pods","singularName":"","namespaced":true,"kind":"PodMetrics","verbs":["get","list"]}]}`
		if text := strings.TrimSpace(string(got.body)); text != want {
			t.Errorf("%s, want %s", text, want)
		}
	}
}

// TestAggregatedDiscovery holds the one document that kubectl asks for.
func TestAggregatedDiscovery(t *testing.T) {
	server := serve(t, newWorld(t))
	var list apidiscovery.APIGroupDiscoveryList
	got := server.decode("/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", &list)
	if !strings.Contains(got.contentType, "as=APIGroupDiscoveryList") || !strings.Contains(got.contentType, "v=v2") {
		t.Errorf("Content-Type %s", got.contentType)
	}
	if len(list.Items) != 1 || list.Items[0].Name != "metrics.k8s.io" {
		t.Fatalf("groups %+v", list.Items)
	}
	if len(list.Items[0].Versions) != 2 {
		t.Fatalf("versions %+v", list.Items[0].Versions)
	}
	for i, version := range list.Items[0].Versions {
		if version.Version != versions[i] || version.Freshness != apidiscovery.DiscoveryFreshnessCurrent {
			t.Errorf("version %d is %s, %s", i, version.Version, version.Freshness)
		}
		if len(version.Resources) != 2 {
			t.Fatalf("resources %+v", version.Resources)
		}
		for j, want := range []struct {
			name, kind string
			scope      apidiscovery.ResourceScope
		}{{"nodes", "NodeMetrics", apidiscovery.ScopeCluster}, {"pods", "PodMetrics", apidiscovery.ScopeNamespace}} {
			r := version.Resources[j]
			if r.Resource != want.name || r.ResponseKind == nil || r.ResponseKind.Kind != want.kind || r.Scope != want.scope {
				t.Errorf("resource %+v, want %+v", r, want)
			}
			if r.SingularResource != "" || len(r.ShortNames) != 0 || len(r.Subresources) != 0 || !slices.Equal(r.Verbs, []string{"get", "list"}) {
				t.Errorf("resource %+v", r)
			}
		}
	}
	// The group's own document, which kube-apiserver's aggregator does not ask for.
	if got := server.get("v1", asJSON); got.code != http.StatusOK {
		t.Errorf("%d", got.code)
	}
}

// TestOpenAPI: both documents describe the served kinds of both versions.
func TestOpenAPI(t *testing.T) {
	server := serve(t, newWorld(t))
	kinds := []string{"PodMetrics", "PodMetricsList", "NodeMetrics", "NodeMetricsList"}

	type schema struct {
		Properties map[string]any   `json:"properties"`
		GVK        []map[string]any `json:"x-kubernetes-group-version-kind"`
	}
	check := func(schemas map[string]schema, version string) {
		t.Helper()
		for _, kind := range kinds {
			found := false
			for name, s := range schemas {
				if !strings.HasSuffix(name, "."+version+"."+kind) {
					continue
				}
				found = true
				if len(s.GVK) != 1 || s.GVK[0]["group"] != "metrics.k8s.io" || s.GVK[0]["version"] != version || s.GVK[0]["kind"] != kind {
					t.Errorf("%s is %v", name, s.GVK)
				}
				for _, property := range []string{"apiVersion", "kind", "metadata"} {
					if s.Properties[property] == nil {
						t.Errorf("%s lacks %s", name, property)
					}
				}
			}
			if !found {
				t.Errorf("no schema of %s in %s", kind, version)
			}
		}
	}
	var v2 struct {
		Swagger     string            `json:"swagger"`
		Definitions map[string]schema `json:"definitions"`
		Paths       map[string]any    `json:"paths"`
	}
	server.decode("/openapi/v2", asJSON, &v2)
	if v2.Swagger != "2.0" {
		t.Errorf("swagger %q", v2.Swagger)
	}
	var index struct {
		Paths map[string]struct{ ServerRelativeURL string } `json:"paths"`
	}
	server.decode("/openapi/v3", asJSON, &index)
	for _, version := range versions {
		check(v2.Definitions, version)
		for _, path := range []string{"/nodes", "/nodes/{name}", "/pods", "/namespaces/{namespace}/pods", "/namespaces/{namespace}/pods/{name}"} {
			if v2.Paths["/apis/metrics.k8s.io/"+version+path] == nil {
				t.Errorf("OpenAPI v2 lacks %s of %s", path, version)
			}
		}
		at := index.Paths["apis/metrics.k8s.io/"+version].ServerRelativeURL
		if at == "" {
			t.Fatalf("OpenAPI v3 has only %v", index.Paths)
		}
		var v3 struct {
			Components struct {
				Schemas map[string]schema `json:"schemas"`
			} `json:"components"`
			Paths map[string]map[string]any `json:"paths"`
		}
		server.decode(at, asJSON, &v3)
		check(v3.Components.Schemas, version)
		for path, methods := range v3.Paths {
			for _, method := range []string{"post", "put", "patch", "delete"} {
				if methods[method] != nil {
					t.Errorf("OpenAPI v3 lets %s %s", method, path)
				}
			}
		}
	}
}
