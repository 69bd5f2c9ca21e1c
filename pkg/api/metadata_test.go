// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestMetadataClient reads metadata alone, as generic controllers do.
func TestMetadataClient(t *testing.T) {
	server := serve(t, newWorld(t))
	for _, version := range versions {
		client, err := metadata.NewForConfig(server.config(asProtobuf))
		if err != nil {
			t.Fatal(err)
		}
		resource := client.Resource(schema.GroupVersionResource{Group: "metrics.k8s.io", Version: version, Resource: "pods"})
		list, err := resource.Namespace("shop").List(t.Context(), metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Items) != 2 || list.Items[0].Name != "web-1" || list.Items[1].Labels["tier"] != "front" {
			t.Errorf("%+v", list.Items)
		}
		one, err := resource.Namespace("shop").Get(t.Context(), "idle", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if one.Name != "idle" || one.Namespace != "shop" {
			t.Errorf("%+v", one)
		}
	}
}

// TestTableVersions: kubectl asks for a Table of either version, then for JSON.
func TestTableVersions(t *testing.T) {
	server := serve(t, newWorld(t))
	for accept, want := range map[string]string{
		"application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json": `"apiVersion":"meta.k8s.io/v1"`,
		"application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json":                                              `"apiVersion":"meta.k8s.io/v1beta1"`,
	} {
		got := server.get("v1/nodes", accept)
		if got.code != http.StatusOK || !strings.Contains(string(got.body), `"kind":"Table"`) || !strings.Contains(string(got.body), want) {
			t.Errorf("%s: %d: %.200s", accept, got.code, got.body)
		}
	}
	if got := server.get("v1/nodes", "application/json;as=Table;v=v9;g=meta.k8s.io"); got.code != http.StatusNotAcceptable {
		t.Errorf("an unknown version: %d", got.code)
	}
}

// TestLargeList: a list of thousands comes whole, in order, and compressed where
// the client takes that.
func TestLargeList(t *testing.T) {
	const count = 3000
	usage := &fakeUsage{pods: map[string]storage.PodUsage{}}
	pods := make([]*corev1.Pod, 0, count)
	for i := range count {
		// Listed backwards.
		p := pod("ns", fmt.Sprintf("pod-%04d", count-1-i), "n", map[string]string{"app": "web"}, "c")
		pods = append(pods, p)
		usage.pods["n/ns/"+p.Name] = storage.PodUsage{Time: sampled, Window: 15_000, Containers: []storage.ContainerUsage{{Name: "c", CPU: 1}}}
	}
	server := serve(t, newSource(t, nil, pods, usage))
	plain := server.get("v1beta1/pods", asJSON)
	names := strings.Fields(itemNames(t, plain.body))
	if len(names) != count || names[0] != "ns/pod-0000" || names[count-1] != "ns/pod-2999" {
		t.Errorf("%d items from %s to %s", len(names), names[0], names[len(names)-1])
	}

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+"/apis/metrics.k8s.io/v1beta1/pods", nil)
	if err != nil {
		t.Fatal(err)
	}
	// Asked for by hand, it is not undone by the client.
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("Content-Encoding %q", got)
	}
	reader, err := gzip.NewReader(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(strings.Fields(itemNames(t, unzipped))); got != count {
		t.Errorf("%d items, want %d", got, count)
	}
}
