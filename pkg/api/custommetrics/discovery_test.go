// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	apidiscovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/restmapper"
	externalv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
)

const asAggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

func decode[T any](t *testing.T, server *endpoint, path, accept string) *T {
	t.Helper()
	got := server.get(path, accept)
	if got.code != http.StatusOK {
		t.Fatalf("%s: %d %s", path, got.code, got.body)
	}
	into := new(T)
	if err := json.Unmarshal(got.body, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return into
}

// aggregatedVersions is the aggregated document by group and version.
func aggregatedVersions(t *testing.T, server *endpoint) map[string]apidiscovery.APIVersionDiscovery {
	t.Helper()
	versions := map[string]apidiscovery.APIVersionDiscovery{}
	for _, group := range decode[apidiscovery.APIGroupDiscoveryList](t, server, "/apis", asAggregated).Items {
		for _, version := range group.Versions {
			versions[group.Name+"/"+version.Version] = version
		}
	}
	return versions
}

// TestGroups holds the groups in all documents that name them, the preferred
// version first, and that a group is there only if somebody provides for it.
func TestGroups(t *testing.T) {
	f := newFake()
	custom, external := "custom.metrics.k8s.io/v1beta2,custom.metrics.k8s.io/v1beta1", "external.metrics.k8s.io/v1beta1"
	for _, c := range []struct {
		custom   Provider
		external ExternalProvider
		want     []string
	}{
		{f, f, []string{custom, external}},
		{f, nil, []string{custom}},
		{nil, f, []string{external}},
		{nil, nil, nil},
	} {
		listening := httptest.NewServer(newServer(t, c.custom, c.external, nil).Handler)
		t.Cleanup(listening.Close)
		server := &endpoint{t: t, url: listening.URL}
		var legacy, aggregated []string
		for _, group := range decode[metav1.APIGroupList](t, server, "/apis", asJSON).Groups {
			alone := decode[metav1.APIGroup](t, server, "/apis/"+group.Name, asJSON)
			if !reflect.DeepEqual(alone.Versions, group.Versions) || alone.PreferredVersion != group.PreferredVersion || group.PreferredVersion != group.Versions[0] {
				t.Errorf("%+v and %+v", alone, group)
			}
			var versions []string
			for _, version := range group.Versions {
				versions = append(versions, version.GroupVersion)
			}
			legacy = append(legacy, strings.Join(versions, ","))
		}
		for _, group := range decode[apidiscovery.APIGroupDiscoveryList](t, server, "/apis", asAggregated).Items {
			var versions []string
			for _, version := range group.Versions {
				versions = append(versions, group.Name+"/"+version.Version)
				if version.Freshness != apidiscovery.DiscoveryFreshnessCurrent {
					t.Errorf("%s is %s", version.Version, version.Freshness)
				}
			}
			aggregated = append(aggregated, strings.Join(versions, ","))
		}
		want := append([]string{"metrics.k8s.io/v1,metrics.k8s.io/v1beta1"}, c.want...)
		slices.Sort(aggregated)
		slices.Sort(legacy)
		slices.Sort(want)
		if !slices.Equal(legacy, want) || !slices.Equal(aggregated, want) {
			t.Errorf("%v and %v, want %v", legacy, aggregated, want)
		}
		for path, provided := range map[string]bool{customV1beta1: c.custom != nil, customV1beta2: c.custom != nil, externalV1beta1: c.external != nil} {
			if got := server.get(path, asJSON); (got.code == http.StatusOK) != provided {
				t.Errorf("%s: %d", path, got.code)
			}
		}
	}
}

// TestResources holds the documents of the versions, to the letter.
func TestResources(t *testing.T) {
	server := serve(t, newFake())
	resource := func(name, namespaced, kind string) string {
		return `{"name":"` + name + `","singularName":"","namespaced":` + namespaced + `,"kind":"` + kind + `","verbs":["get"]}`
	}
	custom := strings.Join([]string{
		resource("deployments.apps/requests_per_second", "true", "MetricValueList"),
		resource("namespaces/requests_per_second", "false", "MetricValueList"),
		resource("nodes/load", "false", "MetricValueList"),
		resource("pods/queue:depth", "true", "MetricValueList"),
		resource("pods/requests_per_second", "true", "MetricValueList"),
	}, ",")
	external := resource("queue_messages", "true", "ExternalMetricValueList") + "," + resource("sales", "true", "ExternalMetricValueList")
	for path, resources := range map[string]string{customV1beta1: custom, customV1beta2: custom, externalV1beta1: external} {
		want := `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"` + strings.TrimPrefix(path, "/apis/") + `","resources":[` + resources + "]}\n"
		for _, slash := range []string{"", "/"} {
			if got := server.get(path+slash, asJSON); string(got.body) != want {
				t.Errorf("%s, want %s", got.body, want)
			}
		}
	}
}

// wantLegal checks that kube-apiserver's aggregator can make an aggregated
// document from that of each version, as it does where there is none, and that
// ours is that one if it has room for everything.
func wantLegal(t *testing.T, server *endpoint, complete bool) {
	t.Helper()
	aggregated := aggregatedVersions(t, server)
	for _, path := range []string{customV1beta1, customV1beta2, externalV1beta1} {
		list := decode[metav1.APIResourceList](t, server, path, asJSON)
		want, err := endpoints.ConvertGroupVersionIntoToDiscovery(list.APIResources)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		got := aggregated[strings.TrimPrefix(path, "/apis/")].Resources
		if complete && (len(want) > 0 || len(got) > 0) && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
}

// TestContradictions: what would spoil discovery for all metrics, or can be in no
// path, is left out, and the rest stays.
func TestContradictions(t *testing.T) {
	f := newFake()
	infos := []MetricInfo{
		{Resource: pods, Namespaced: true, Metric: "a"},
		{Resource: pods, Namespaced: true, Metric: "a"},
		{Resource: pods, Metric: "b"},
		{Resource: nodes, Metric: "c"},
		{Resource: nodes, Namespaced: true, Metric: "c"},
		{Resource: namespaces, Namespaced: true, Metric: "d"},
		{Resource: namespaces, Metric: "e"},
		{Resource: pods, Namespaced: true, Metric: "with/slash"},
		{Resource: pods, Namespaced: true},
		{Metric: "of nothing"},
		{Resource: schema.GroupResource{Resource: "a.b"}, Metric: "of a group that is none"},
		{Resource: schema.GroupResource{Group: "b/c", Resource: "a"}, Metric: "f"},
	}
	f.infos = func() []MetricInfo { return infos }
	f.names = func() []string { return []string{"x", "", "x", "a/b", "y", ".."} }
	server := serve(t, f)
	names := func(path string) string {
		var names []string
		for _, r := range decode[metav1.APIResourceList](t, server, path, asJSON).APIResources {
			names = append(names, fmt.Sprint(r.Name, " ", r.Namespaced))
		}
		return strings.Join(names, ",")
	}
	if got, want := names(customV1beta2), "namespaces/e false,nodes/c false,pods/a true"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := names(externalV1beta1), "x true,y true"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	wantLegal(t, server, true)
}

// TestDiscoveryClient: client-go finds the same in both kinds of discovery, and
// can make a mapper of it.
func TestDiscoveryClient(t *testing.T) {
	server := serve(t, newFake())
	found := map[bool][]string{}
	for _, legacy := range []bool{false, true} {
		client, err := discovery.NewDiscoveryClientForConfig(server.config(asHPA))
		if err != nil {
			t.Fatal(err)
		}
		client.UseLegacyDiscovery = legacy
		_, lists, err := client.ServerGroupsAndResources()
		if err != nil {
			t.Fatal(err)
		}
		for _, list := range lists {
			for _, r := range list.APIResources {
				if list.GroupVersion != "metrics.k8s.io/v1" && list.GroupVersion != "metrics.k8s.io/v1beta1" {
					found[legacy] = append(found[legacy], fmt.Sprint(list.GroupVersion, " ", r.Name, " ", r.Namespaced, " ", r.Kind, " ", r.Verbs))
				}
			}
		}
		slices.Sort(found[legacy])
		groups, err := restmapper.GetAPIGroupResources(client)
		if err != nil {
			t.Fatal(err)
		}
		m := restmapper.NewDiscoveryRESTMapper(groups)
		if gvk, err := m.KindFor(schema.GroupVersionResource{Resource: "sales"}); err != nil || gvk != externalv1beta1.SchemeGroupVersion.WithKind(externalListKind) {
			t.Errorf("%v, %v", gvk, err)
		}
	}
	if len(found[true]) != 2*5+2 || !slices.Equal(found[false], found[true]) {
		t.Errorf("%q, want %q", found[false], found[true])
	}
	wantLegal(t, server, true)
}

// TestDiscoveryChanges: what providers add and take away is found, also while
// others ask.
func TestDiscoveryChanges(t *testing.T) {
	f := newFake()
	var infos atomic.Pointer[[]MetricInfo]
	var names atomic.Pointer[[]string]
	set := func(i int) {
		infos.Store(&[]MetricInfo{{Resource: pods, Namespaced: true, Metric: fmt.Sprint("metric-", i)}})
		names.Store(&[]string{fmt.Sprint("queue-", i)})
	}
	set(0)
	f.infos = func() []MetricInfo { return *infos.Load() }
	f.names = func() []string { return *names.Load() }
	server := serve(t, f)
	for i := range 20 {
		set(i)
		var asking sync.WaitGroup
		for _, path := range []string{customV1beta1, customV1beta2, externalV1beta1, customV1beta1 + "/namespaces/a/pods/*/x", externalV1beta1 + "/namespaces/a/x"} {
			asking.Go(func() { server.get(path, asJSON) })
		}
		asking.Wait()
		aggregated := aggregatedVersions(t, server)
		custom := only(t, aggregated["custom.metrics.k8s.io/v1beta1"].Resources)
		if metric := only(t, custom.Subresources).Subresource; metric != fmt.Sprint("metric-", i) {
			t.Errorf("%d: %s", i, metric)
		}
		if external := only(t, aggregated["external.metrics.k8s.io/v1beta1"].Resources); external.Resource != fmt.Sprint("queue-", i) {
			t.Errorf("%d: %+v", i, external)
		}
		wantLegal(t, server, true)
	}
	none := []MetricInfo{}
	infos.Store(&none)
	if list := decode[metav1.APIResourceList](t, server, customV1beta2, asJSON); len(list.APIResources) != 0 {
		t.Errorf("%+v", list)
	}
	if v, ok := aggregatedVersions(t, server)["custom.metrics.k8s.io/v1beta2"]; !ok || len(v.Resources) != 0 {
		t.Errorf("%+v", v)
	}
}

// crowd is n metrics of objects and n external ones, given in no order.
func crowd(n int) ([]MetricInfo, []string) {
	random := rand.New(rand.NewPCG(3, 4))
	resources := []MetricInfo{{Resource: pods, Namespaced: true}, {Resource: nodes}, {Resource: deployments, Namespaced: true}, {Resource: namespaces}}
	var infos []MetricInfo
	var names []string
	for i := range n {
		info := resources[i%len(resources)]
		info.Metric = fmt.Sprintf("application_%06d_requests_per_second", i)
		infos = append(infos, info)
		names = append(names, info.Metric)
	}
	random.Shuffle(n, func(i, j int) { infos[i], infos[j] = infos[j], infos[i] })
	random.Shuffle(n, func(i, j int) { names[i], names[j] = names[j], names[i] })
	return infos, names
}

// TestDiscoveryBounds: however many metrics there are, and whatever they are
// called, the document that every client keeps stays small, and is legal; that of
// a version has them all.
func TestDiscoveryBounds(t *testing.T) {
	const most = 64 << 10
	many := 100_000
	if testing.Short() {
		many = 10_000
	}
	for _, n := range []int{50, 200, 1000, many} {
		f := newFake()
		infos, names := crowd(n)
		f.infos = func() []MetricInfo { return infos }
		f.names = func() []string { return names }
		server := serve(t, f)
		got := server.get("/apis", asAggregated)
		if len(got.body) > most || len(got.body) < 1000 {
			t.Errorf("%d names: %d bytes", n, len(got.body))
		}
		aggregated := aggregatedVersions(t, server)
		for _, version := range []string{"custom.metrics.k8s.io/v1beta1", "custom.metrics.k8s.io/v1beta2"} {
			if resources := aggregated[version].Resources; len(resources) != 4 || len(resources[0].Subresources) < min(n/4, 40) {
				t.Errorf("%d names: %s has %+v", n, version, resources)
			}
		}
		if n := len(aggregated["external.metrics.k8s.io/v1beta1"].Resources); n < 50 {
			t.Errorf("%d external metrics", n)
		}
		for _, path := range []string{customV1beta2, externalV1beta1} {
			if found := bytes.Count(server.get(path, asJSON).body, []byte(`{"name":`)); found != n {
				t.Errorf("%s has %d resources", path, found)
			}
		}
		if n < many {
			wantLegal(t, server, n == 50)
		}
	}

	f := newFake()
	f.infos = func() []MetricInfo {
		return []MetricInfo{
			{Resource: pods, Namespaced: true, Metric: strings.Repeat("<", 1<<20)},
			{Resource: schema.GroupResource{Resource: strings.Repeat("r", 1<<20)}, Metric: "z"},
		}
	}
	f.names = func() []string { return []string{strings.Repeat("\x01", 1<<20), "a"} }
	server := serve(t, f)
	if got := server.get("/apis", asAggregated); len(got.body) > most {
		t.Errorf("with huge names: %d bytes", len(got.body))
	}
	if r := only(t, aggregatedVersions(t, server)["external.metrics.k8s.io/v1beta1"].Resources); r.Resource != "a" {
		t.Errorf("a huge name leaves %s", r.Resource)
	}
}

// FuzzResourceList holds the document of a version against the typed encoder.
func FuzzResourceList(f *testing.F) {
	r := newReference(f)
	f.Add("pods", "requests", true)
	f.Add("a.b", "", false)
	f.Add("\xff<", "\"", true)
	f.Fuzz(func(t *testing.T, resource, metric string, namespaced bool) {
		e := entry{resource: resource, metric: metric, namespaced: namespaced}
		for _, entries := range [][]entry{{}, {e}, {e, {resource: "x", metric: "y"}}} {
			r.check(t, schema.GroupVersion{}, &resourceList{version: externalv1beta1.SchemeGroupVersion, kind: customListKind, entries: entries})
		}
	})
}
