// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	"k8s.io/metrics/pkg/client/clientset/versioned"
	"sigs.k8s.io/yaml"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

const (
	asYAML     = "application/yaml"
	asProtobuf = "application/vnd.kubernetes.protobuf"
)

// TestGolden holds whole answers: what a reviewer wants to see, and what a
// client that parses by hand relies on.
func TestGolden(t *testing.T) {
	server := serve(t, newWorld(t))
	for file, path := range map[string]string{
		"pods-list":      "v1beta1/pods",
		"pods-namespace": "v1/namespaces/shop/pods",
		"pod":            "v1/namespaces/shop/pods/web-1",
		"nodes-list":     "v1beta1/nodes",
		"node":           "v1/nodes/node-a",
	} {
		t.Run(file, func(t *testing.T) {
			pretty := server.get(path+"?pretty=1", asJSON)
			if pretty.code != http.StatusOK {
				t.Fatalf("GET %s: %d: %s", path, pretty.code, pretty.body)
			}
			golden(t, file+".json", append(pretty.body, '\n'))
		})
	}
	t.Run("yaml", func(t *testing.T) {
		got := server.get("v1/namespaces/shop/pods/web-1", asYAML)
		if got.contentType != asYAML {
			t.Errorf("Content-Type %q", got.contentType)
		}
		golden(t, "pod.yaml", got.body)
	})
}

// TestEncodingsAgree decodes each answer in each encoding.
func TestEncodingsAgree(t *testing.T) {
	server := serve(t, newWorld(t))
	for _, path := range []string{"pods", "namespaces/shop/pods", "namespaces/shop/pods/web-1", "nodes", "nodes/node-a"} {
		for _, version := range versions {
			t.Run(version+"/"+path, func(t *testing.T) {
				compact := server.get(version+"/"+path, asJSON)
				if compact.code != http.StatusOK || compact.contentType != asJSON {
					t.Fatalf("%d %s: %s", compact.code, compact.contentType, compact.body)
				}
				var fields map[string]any
				if err := json.Unmarshal(compact.body, &fields); err != nil {
					t.Fatal(err)
				}
				if got, want := fields["apiVersion"], "metrics.k8s.io/"+version; got != want {
					t.Errorf("apiVersion %v, want %v", got, want)
				}
				asYAML := server.get(version+"/"+path, asYAML)
				fromYAML, err := yaml.YAMLToJSON(asYAML.body)
				if err != nil {
					t.Fatal(err)
				}
				want, err := yaml.YAMLToJSON(compact.body)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := moments.ReplaceAll(fromYAML, nil), moments.ReplaceAll(want, nil); !bytes.Equal(got, want) {
					t.Errorf("YAML says %s, JSON %s", got, want)
				}
				asProto := server.get(version+"/"+path, asProtobuf)
				if asProto.contentType != asProtobuf || !bytes.HasPrefix(asProto.body, []byte("k8s\x00")) {
					t.Errorf("%s: %q", asProto.contentType, asProto.body)
				}
			})
		}
	}
}

// TestUnknownEncoding: what we cannot give is refused.
func TestUnknownEncoding(t *testing.T) {
	server := serve(t, newWorld(t))
	if got := server.get("v1/nodes", "text/html;q=1"); got.code != http.StatusNotAcceptable {
		t.Errorf("%d: %s", got.code, got.body)
	}
	// A browser and curl ask for anything.
	if got := server.get("v1/nodes", "*/*"); got.code != http.StatusOK || got.contentType != asJSON {
		t.Errorf("%d %s", got.code, got.contentType)
	}
}

// TestTypedClients reads everything with the generated clients of both versions,
// in JSON and in protobuf, which is what kubectl top and the HPA do.
func TestTypedClients(t *testing.T) {
	server := serve(t, newWorld(t))
	ctx := t.Context()
	before := time.Now().Truncate(time.Second)
	var first *metricsv1.PodMetricsList
	var firstNodes *metricsv1.NodeMetricsList
	for _, encoding := range []string{asJSON, asProtobuf} {
		client, err := versioned.NewForConfig(server.config(encoding))
		if err != nil {
			t.Fatal(err)
		}
		pods, err := client.MetricsV1().PodMetricses("").List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		nodes, err := client.MetricsV1().NodeMetricses().List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		beta, err := client.MetricsV1beta1().PodMetricses("").List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		betaNodes, err := client.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if pods.ResourceVersion != "" || nodes.ResourceVersion != "" || pods.Continue != "" {
			t.Errorf("list metadata %+v %+v", pods.ListMeta, nodes.ListMeta)
		}
		for i := range pods.Items {
			checkMeta(t, before, &pods.Items[i].ObjectMeta)
			checkMeta(t, before, &beta.Items[i].ObjectMeta)
			got, err := client.MetricsV1().PodMetricses(pods.Items[i].Namespace).Get(ctx, pods.Items[i].Name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			checkMeta(t, before, &got.ObjectMeta)
			got.TypeMeta = metav1.TypeMeta{}
			if !apiequality.Semantic.DeepEqual(got, &pods.Items[i]) {
				t.Errorf("%s: get %+v, list %+v", encoding, got, &pods.Items[i])
			}
		}
		for i := range nodes.Items {
			checkMeta(t, before, &nodes.Items[i].ObjectMeta)
			checkMeta(t, before, &betaNodes.Items[i].ObjectMeta)
			got, err := client.MetricsV1beta1().NodeMetricses().Get(ctx, nodes.Items[i].Name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			checkMeta(t, before, &got.ObjectMeta)
			got.TypeMeta = metav1.TypeMeta{}
			if !apiequality.Semantic.DeepEqual(got, &betaNodes.Items[i]) {
				t.Errorf("%s: get %+v, list %+v", encoding, got, &betaNodes.Items[i])
			}
		}
		if got, want := podNames(pods), "batch/web-1 shop/idle shop/web-1 shop/web-2 zoo/plain"; got != want {
			t.Errorf("%s: pods %s, want %s", encoding, got, want)
		}
		if got, want := nodeNames(nodes), "node-a node-b node-c"; got != want {
			t.Errorf("%s: nodes %s, want %s", encoding, got, want)
		}
		// The schemas are the same.
		if got, want := reencode[metricsv1beta1.PodMetricsList](t, pods), stripped(beta); !apiequality.Semantic.DeepEqual(got, want) {
			t.Errorf("%s: v1 %+v, v1beta1 %+v", encoding, got, want)
		}
		if first == nil {
			first, firstNodes = pods, nodes
		}
		pods.TypeMeta, first.TypeMeta = metav1.TypeMeta{}, metav1.TypeMeta{}
		nodes.TypeMeta, firstNodes.TypeMeta = metav1.TypeMeta{}, metav1.TypeMeta{}
		if !apiequality.Semantic.DeepEqual(first, pods) || !apiequality.Semantic.DeepEqual(firstNodes, nodes) {
			t.Errorf("%s: %+v %+v, want %+v %+v", encoding, pods, nodes, first, firstNodes)
		}
	}
}

// stripped is the list without its kind, which decoders of JSON and protobuf
// keep or drop as they like.
func stripped(list *metricsv1beta1.PodMetricsList) *metricsv1beta1.PodMetricsList {
	list.TypeMeta = metav1.TypeMeta{}
	return list
}

func reencode[T any](t *testing.T, from *metricsv1.PodMetricsList) *T {
	t.Helper()
	plain := from.DeepCopy()
	plain.TypeMeta = metav1.TypeMeta{}
	text, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	to := new(T)
	if err := json.Unmarshal(text, to); err != nil {
		t.Fatal(err)
	}
	return to
}

// checkMeta checks that an item was made at the moment of the answer and has
// nothing that we do not know; then it forgets the moment.
func checkMeta(t *testing.T, before time.Time, object *metav1.ObjectMeta) {
	t.Helper()
	if created := object.CreationTimestamp.Time; created.Before(before) || created.After(time.Now()) {
		t.Errorf("%s was created at %v, which is not now", object.Name, created)
	}
	if object.ResourceVersion != "" || object.UID != "" || object.Generation != 0 {
		t.Errorf("%s has %+v", object.Name, object)
	}
	object.CreationTimestamp = metav1.Time{}
}

func podNames(list *metricsv1.PodMetricsList) string {
	names := make([]string, 0, len(list.Items))
	for i := range list.Items {
		names = append(names, list.Items[i].Namespace+"/"+list.Items[i].Name)
	}
	return strings.Join(names, " ")
}

func nodeNames(list *metricsv1.NodeMetricsList) string {
	names := make([]string, 0, len(list.Items))
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return strings.Join(names, " ")
}

// TestUnits checks figures to the letter: CPU in decimal nanocores, memory in
// binary bytes, nothing that overflows.
func TestUnits(t *testing.T) {
	const huge = 1<<63 - 1
	for _, c := range []struct {
		cpu, memory         uint64
		wantCPU, wantMemory string
	}{
		{0, 0, "0", "0"},
		{1, 1, "1n", "1"},
		{1000, 1023, "1u", "1023"},
		{1_234_567, 1024, "1234567n", "1Ki"},
		{1_000_000, 52_428_801, "1m", "52428801"},
		{250_000_000, 50 << 20, "250m", "50Mi"},
		{1_000_000_000, 1 << 40, "1", "1Ti"},
		{64_000_000_001, 1_000_000_000, "64000000001n", "1000000000"},
		{huge, huge, "9223372036854775807n", "9223372036854775807"},
		{huge + 1, huge + 1, "9223372036854775807n", "9223372036854775807"},
		{1<<64 - 1, 1<<64 - 1, "9223372036854775807n", "9223372036854775807"},
	} {
		list := resourceList(&storage.ContainerUsage{CPU: c.cpu, Memory: c.memory, Swap: c.memory, HasSwap: true})
		if got := list.Cpu().String(); got != c.wantCPU {
			t.Errorf("%d nanocores: %s, want %s", c.cpu, got, c.wantCPU)
		}
		if got := list.Memory().String(); got != c.wantMemory {
			t.Errorf("%d bytes: %s, want %s", c.memory, got, c.wantMemory)
		}
		if swap := list[resourceSwap]; swap.String() != c.wantMemory {
			t.Errorf("%d bytes of swap: %s, want %s", c.memory, swap.String(), c.wantMemory)
		}
		if _, ok := resourceList(&storage.ContainerUsage{CPU: c.cpu, Memory: c.memory, Swap: c.memory})[resourceSwap]; ok {
			t.Error("swap where there is none")
		}
	}
}

// TestZeroIsData: an idle container is listed, with its zeros.
func TestZeroIsData(t *testing.T) {
	server := serve(t, newWorld(t))
	got := server.get("v1/namespaces/shop/pods/idle", asJSON)
	if want := `"containers":[{"name":"idle","usage":{"cpu":"0","memory":"0"}}]`; !strings.Contains(string(got.body), want) {
		t.Errorf("%s lacks %s", got.body, want)
	}
	got = server.get("v1/nodes/node-b", asJSON)
	if want := `"usage":{"cpu":"0","memory":"0"}`; !strings.Contains(string(got.body), want) {
		t.Errorf("%s lacks %s", got.body, want)
	}
	got = server.get("v1/nodes/node-a", asJSON)
	if want := `"swap":"0"`; !strings.Contains(string(got.body), want) {
		t.Errorf("%s lacks %s", got.body, want)
	}
}

// TestEmptyList: a list without items is a list, not null, which clients in
// other languages do not expect.
func TestEmptyList(t *testing.T) {
	server := serve(t, newSource(t, nil, nil, &fakeUsage{}))
	for _, version := range versions {
		for path, kind := range map[string]string{"pods": "PodMetricsList", "namespaces/none/pods": "PodMetricsList", "nodes": "NodeMetricsList"} {
			got := server.get(version+"/"+path, asJSON)
			want := fmt.Sprintf(`{"kind":%q,"apiVersion":"metrics.k8s.io/%s","metadata":{},"items":[]}`, kind, version)
			if got.code != http.StatusOK || strings.TrimSpace(string(got.body)) != want {
				t.Errorf("%s/%s: %d: %s, want %s", version, path, got.code, got.body, want)
			}
		}
	}
}
