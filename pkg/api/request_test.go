// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
)

// itemNames is the names of the items of a list in JSON, "namespace/name" for
// pods, in their order.
func itemNames(t *testing.T, body []byte) string {
	t.Helper()
	var list struct {
		Items []metav1.PartialObjectMetadata
	}
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	names := make([]string, 0, len(list.Items))
	for i := range list.Items {
		name := list.Items[i].Name
		if namespace := list.Items[i].Namespace; namespace != "" {
			name = namespace + "/" + name
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// status is a failure as the server tells it.
func status(t *testing.T, body []byte) metav1.Status {
	t.Helper()
	var s metav1.Status
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if s.Kind != "Status" || s.APIVersion != "v1" || s.Status != metav1.StatusFailure {
		t.Errorf("%s is no failure", body)
	}
	return s
}

// TestSelection asks with every kind of selector, and with the parameters that
// are ignored.
func TestSelection(t *testing.T) {
	server := serve(t, newWorld(t))
	const (
		allPods  = "batch/web-1 shop/idle shop/web-1 shop/web-2 zoo/plain"
		shop     = "shop/idle shop/web-1 shop/web-2"
		allNodes = "node-a node-b node-c"
	)
	for _, c := range []struct{ path, query, want string }{
		{"pods", "", allPods},
		{"namespaces/shop/pods", "", shop},
		{"namespaces/lies/pods", "", ""},
		{"namespaces/none/pods", "", ""},
		{"nodes", "", allNodes},

		{"pods", "labelSelector=app=web", "shop/web-1 shop/web-2"},
		{"pods", "labelSelector=app==web", "shop/web-1 shop/web-2"},
		{"pods", "labelSelector=app!=web", "batch/web-1 shop/idle zoo/plain"},
		{"pods", "labelSelector=app in (idle,batch)", "batch/web-1 shop/idle"},
		{"pods", "labelSelector=app notin (idle,batch)", "shop/web-1 shop/web-2 zoo/plain"},
		{"pods", "labelSelector=tier", "shop/web-1 shop/web-2"},
		{"pods", "labelSelector=!tier", "batch/web-1 shop/idle zoo/plain"},
		{"pods", "labelSelector=app=web,tier=back", ""},
		{"namespaces/batch/pods", "labelSelector=app=batch", "batch/web-1"},
		{"namespaces/batch/pods", "labelSelector=app=web", ""},
		{"nodes", "labelSelector=zone=a", "node-a"},
		{"nodes", "labelSelector=!zone", "node-c"},
		{"nodes", "labelSelector=kubernetes.io/os in (linux),zone!=a", "node-b"},

		{"pods", "fieldSelector=metadata.name=web-1", "batch/web-1 shop/web-1"},
		{"pods", "fieldSelector=metadata.name!=web-1", "shop/idle shop/web-2 zoo/plain"},
		{"pods", "fieldSelector=metadata.namespace=shop", shop},
		{"pods", "fieldSelector=metadata.namespace!=shop", "batch/web-1 zoo/plain"},
		{"pods", "fieldSelector=metadata.namespace=shop,metadata.name=web-2", "shop/web-2"},
		{"namespaces/shop/pods", "fieldSelector=metadata.name=idle", "shop/idle"},
		{"namespaces/shop/pods", "fieldSelector=metadata.namespace=zoo", ""},
		{"pods", "fieldSelector=metadata.name=web-1&labelSelector=app=web", "shop/web-1"},
		{"nodes", "fieldSelector=metadata.name=node-b", "node-b"},
		{"nodes", "fieldSelector=metadata.name!=node-b", "node-a node-c"},
		{"nodes", "fieldSelector=metadata.namespace=shop", ""},

		{"pods", "limit=1", allPods},
		{"pods", "limit=1&continue=abc", allPods},
		{"pods", "resourceVersion=0", allPods},
		{"pods", "resourceVersion=12345&resourceVersionMatch=NotOlderThan", allPods},
		{"nodes", "limit=1&timeoutSeconds=1", allNodes},
		{"nodes", "watch=false", allNodes},
	} {
		for _, version := range versions {
			query := ""
			for i, pair := range strings.Split(c.query, "&") {
				key, value, _ := strings.Cut(pair, "=")
				query += map[bool]string{true: "?", false: "&"}[i == 0] + key + "=" + url.QueryEscape(value)
			}
			got := server.get(version+"/"+c.path+query, asJSON)
			if got.code != http.StatusOK {
				t.Errorf("%s/%s?%s: %d: %s", version, c.path, c.query, got.code, got.body)
				continue
			}
			if names := itemNames(t, got.body); names != c.want {
				t.Errorf("%s/%s?%s: %q, want %q", version, c.path, c.query, names, c.want)
			}
			if strings.Contains(string(got.body), "resourceVersion") || strings.Contains(string(got.body), "continue") {
				t.Errorf("%s/%s?%s: %s", version, c.path, c.query, got.body)
			}
		}
	}
}

// TestRefusals asks for what there is not.
func TestRefusals(t *testing.T) {
	server := serve(t, newWorld(t))
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "pods?labelSelector=%21%21", http.StatusBadRequest},
		{"GET", "pods?labelSelector=a%3D%3D%3Db", http.StatusBadRequest},
		{"GET", "pods?labelSelector=app%20in%20(", http.StatusBadRequest},
		{"GET", "nodes?labelSelector=-%3Da", http.StatusBadRequest},
		{"GET", "pods?fieldSelector=spec.nodeName%3Da", http.StatusBadRequest},
		{"GET", "pods?fieldSelector=status.phase%3DRunning", http.StatusBadRequest},
		{"GET", "nodes?fieldSelector=spec.unschedulable%3Dtrue", http.StatusBadRequest},
		{"GET", "nodes?fieldSelector=metadata.name", http.StatusBadRequest},
		{"GET", "namespaces/shop/pods/web-1?watch=true", http.StatusOK},
		{"GET", "pods?watch=true", http.StatusMethodNotAllowed},
		{"GET", "pods?watch=1&resourceVersion=0", http.StatusMethodNotAllowed},
		{"GET", "namespaces/shop/pods?watch=true", http.StatusMethodNotAllowed},
		{"GET", "nodes?watch=true&allowWatchBookmarks=true", http.StatusMethodNotAllowed},
		{"POST", "namespaces/shop/pods", http.StatusMethodNotAllowed},
		{"POST", "nodes", http.StatusMethodNotAllowed},
		{"PUT", "namespaces/shop/pods/web-1", http.StatusMethodNotAllowed},
		{"PATCH", "namespaces/shop/pods/web-1", http.StatusMethodNotAllowed},
		{"DELETE", "namespaces/shop/pods/web-1", http.StatusMethodNotAllowed},
		{"DELETE", "namespaces/shop/pods", http.StatusMethodNotAllowed},
		{"PUT", "nodes/node-a", http.StatusMethodNotAllowed},
		{"PATCH", "nodes/node-a", http.StatusMethodNotAllowed},
		{"DELETE", "nodes/node-a", http.StatusMethodNotAllowed},
		{"DELETE", "nodes", http.StatusMethodNotAllowed},
		{"GET", "pods/web-1", http.StatusNotFound},
		{"GET", "namespaces/shop/nodes", http.StatusNotFound},
		{"GET", "namespaces/shop/pods/web-1/status", http.StatusNotFound},
		{"GET", "podmetrics", http.StatusNotFound},
	} {
		for _, version := range versions {
			body := ""
			if c.method != http.MethodGet {
				body = "{}"
			}
			got := server.do(c.method, "/apis/metrics.k8s.io/"+version+"/"+c.path, asJSON, body)
			if got.code != c.want {
				t.Errorf("%s %s/%s: %d, want %d: %s", c.method, version, c.path, got.code, c.want, got.body)
			}
		}
	}
	for _, path := range []string{"v2/pods", "v1alpha1/pods"} {
		if got := server.get(path, asJSON); got.code != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.code)
		}
	}
}

// TestNotFound holds the four texts, on which clients match.
func TestNotFound(t *testing.T) {
	server := serve(t, newWorld(t))
	for _, c := range []struct{ path, want, group, kind, name string }{
		{"namespaces/shop/pods/x", `pods "x" not found`, "", "pods", "x"},
		{"namespaces/none/pods/web-1", `pods "web-1" not found`, "", "pods", "web-1"},
		{"namespaces/shop/pods/gone", `pods "gone" not found`, "", "pods", "gone"},
		{"namespaces/shop/pods/fresh", `podmetrics.metrics.k8s.io "shop/fresh" not found`, "metrics.k8s.io", "podmetrics", "shop/fresh"},
		{"namespaces/lies/pods/claimed", `podmetrics.metrics.k8s.io "lies/claimed" not found`, "metrics.k8s.io", "podmetrics", "lies/claimed"},
		{"nodes/x", `nodes "x" not found`, "", "nodes", "x"},
		{"nodes/gone", `nodes "gone" not found`, "", "nodes", "gone"},
		{"nodes/silent", `nodemetrics.metrics.k8s.io "silent" not found`, "metrics.k8s.io", "nodemetrics", "silent"},
	} {
		for _, version := range versions {
			got := server.get(version+"/"+c.path, asJSON)
			s := status(t, got.body)
			if got.code != http.StatusNotFound || s.Code != http.StatusNotFound || s.Reason != metav1.StatusReasonNotFound {
				t.Errorf("%s: %d: %s", c.path, got.code, got.body)
			}
			if s.Message != c.want {
				t.Errorf("%s: %q, want %q", c.path, s.Message, c.want)
			}
			if s.Details == nil || s.Details.Group != c.group || s.Details.Kind != c.kind || s.Details.Name != c.name {
				t.Errorf("%s: details %+v", c.path, s.Details)
			}
		}
	}
}

// TestBeforeSync: until both lists are complete, every answer about objects
// would be untrue, so there is none; discovery is there all the same.
func TestBeforeSync(t *testing.T) {
	source := &Source{Usage: &fakeUsage{}, Nodes: objects.NewNodes(nil), Pods: objects.NewPods()}
	server := serve(t, source)
	unavailable := func(when string) {
		t.Helper()
		for _, path := range []string{"v1/pods", "v1beta1/namespaces/shop/pods", "v1beta1/namespaces/shop/pods/web-1", "v1/nodes", "v1/nodes/node-a"} {
			got := server.get(path, asJSON)
			s := status(t, got.body)
			if got.code != http.StatusServiceUnavailable || s.Reason != metav1.StatusReasonServiceUnavailable || !strings.Contains(s.Message, ErrNotSynced.Error()) {
				t.Errorf("%s, %s: %d: %s", when, path, got.code, got.body)
			}
		}
	}
	unavailable("before any list")
	if got := server.get("v1", asJSON); got.code != http.StatusOK {
		t.Errorf("discovery: %d", got.code)
	}
	// A watch event before the list's end changes nothing.
	if err := source.Nodes.Add(node("node-a", nil)); err != nil {
		t.Fatal(err)
	}
	if err := source.Pods.Add(pod("shop", "web-1", "node-a", nil)); err != nil {
		t.Fatal(err)
	}
	unavailable("after the first objects")
	listNodes(t, source, node("node-a", nil))
	unavailable("after the list of nodes")
	listPods(t, source)
	if got := server.get("v1/pods", asJSON); got.code != http.StatusOK {
		t.Errorf("after both lists: %d: %s", got.code, got.body)
	}
}

// TestFollowsObjects: the answer follows the objects at once, whatever the
// kubelets still say.
func TestFollowsObjects(t *testing.T) {
	source := newWorld(t)
	server := serve(t, source)
	if err := source.Pods.Delete(pod("shop", "web-1", "node-a", nil)); err != nil {
		t.Fatal(err)
	}
	if err := source.Nodes.Delete(node("node-c", nil)); err != nil {
		t.Fatal(err)
	}
	if err := source.Pods.Update(pod("shop", "idle", "node-a", map[string]string{"app": "busy"}, "idle")); err != nil {
		t.Fatal(err)
	}
	// Made anew under the same name on another node: that one has not reported it.
	if err := source.Pods.Update(pod("shop", "web-2", "node-a", map[string]string{"app": "web"}, "proxy", "web")); err != nil {
		t.Fatal(err)
	}
	if got, want := itemNames(t, server.get("v1/namespaces/shop/pods", asJSON).body), "shop/idle"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := itemNames(t, server.get("v1/pods?labelSelector=app%3Dbusy", asJSON).body), "shop/idle"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := itemNames(t, server.get("v1/nodes", asJSON).body), "node-a node-b"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestConcurrent reads while objects change, for the race detector.
func TestConcurrent(t *testing.T) {
	source := newWorld(t)
	server := newServer(t, source, func() error { return nil })
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			labels := map[string]string{"app": "web", "i": string(rune('a' + i%26))}
			for _, err := range []error{
				source.Pods.Update(pod("shop", "web-1", "node-a", labels, "proxy", "web")),
				source.Pods.Delete(pod("shop", "web-2", "node-b", nil)),
				source.Pods.Add(pod("shop", "web-2", "node-b", labels, "proxy", "web")),
				source.Nodes.Update(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-a", Labels: labels}}),
			} {
				if err != nil {
					t.Error(err)
				}
			}
		}
	}()
	readers := make(chan struct{})
	for _, accept := range []string{asJSON, asProtobuf, asTable, asYAML} {
		go func() {
			defer func() { readers <- struct{}{} }()
			for range 20 {
				for _, path := range []string{"v1/pods", "v1beta1/nodes", "v1/namespaces/shop/pods/web-1"} {
					if code := record(server, path, accept); code != http.StatusOK {
						t.Errorf("%s as %s: %d", path, accept, code)
					}
				}
			}
		}()
	}
	for range 4 {
		<-readers
	}
	<-done
}
