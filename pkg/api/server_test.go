// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"flag"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/apitest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The versions that are served, the preferred one first.
var versions = []string{"v1", "v1beta1"}

// fakeUsage is what a test says of usage. It is not written once requests are
// served.
type fakeUsage struct {
	// pods is by "node/namespace/name", nodes by name.
	pods  map[string]storage.PodUsage
	nodes map[string]storage.NodeUsage
	// offsets are by the name of a node.
	offsets map[string]storage.Millis
}

func (f *fakeUsage) Offset(node string) storage.Millis { return f.offsets[node] }

func (f *fakeUsage) Posted(*storage.Posted, *storage.PodQuery, storage.Millis) bool { return false }

func (f *fakeUsage) Pod(_ []storage.ContainerUsage, q storage.PodQuery, _ storage.Millis) (storage.PodUsage, storage.Absence) {
	usage, ok := f.pods[q.Node+"/"+q.Namespace+"/"+q.Name]
	if !ok {
		return storage.PodUsage{}, storage.NotReported
	}
	return usage, storage.Present
}

func (f *fakeUsage) Node(name string, _ storage.Millis) (storage.NodeUsage, storage.Absence) {
	usage, ok := f.nodes[name]
	if !ok {
		return storage.NodeUsage{}, storage.NotScraped
	}
	return usage, storage.Present
}

// sampled is when all usage of the tests was sampled.
var sampled = storage.MillisOf(time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC))

// newSource is a source of objects that have been listed, and of usage.
func newSource(t *testing.T, nodes []*corev1.Node, pods []*corev1.Pod, usage *fakeUsage) *Source {
	t.Helper()
	source := &Source{Usage: usage, Nodes: objects.NewNodes(nil), Pods: objects.NewPods()}
	listNodes(t, source, nodes...)
	listPods(t, source, pods...)
	return source
}

func listNodes(t *testing.T, source *Source, nodes ...*corev1.Node) {
	t.Helper()
	list := make([]any, 0, len(nodes))
	for _, node := range nodes {
		list = append(list, node)
	}
	if err := source.Nodes.Replace(list, "1"); err != nil {
		t.Fatal(err)
	}
}

func listPods(t *testing.T, source *Source, pods ...*corev1.Pod) {
	t.Helper()
	list := make([]any, 0, len(pods))
	for _, pod := range pods {
		list = append(list, pod)
	}
	if err := source.Pods.Replace(list, "1"); err != nil {
		t.Fatal(err)
	}
}

func node(name string, labels map[string]string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, UID: "x", ResourceVersion: "7"}}
}

// pod is a running pod whose containers run, too.
func pod(namespace, name, node string, labels map[string]string, containers ...string) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels, UID: "x", ResourceVersion: "7"},
		Spec:       corev1.PodSpec{NodeName: node},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	for _, c := range containers {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
			Name:  c,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		})
	}
	return p
}

// newWorld is a small cluster with one of each of what the API must get right:
// several namespaces, swap and none, zeros, the largest numbers, objects without
// usage, usage without objects, and usage from a node that is not the pod's.
// Everything is listed in no order.
func newWorld(t *testing.T) *Source {
	t.Helper()
	return newSource(
		t,
		[]*corev1.Node{
			node("node-c", nil),
			node("node-b", map[string]string{"zone": "b", "kubernetes.io/os": "linux"}),
			node("node-a", map[string]string{"zone": "a", "kubernetes.io/os": "linux"}),
			node("silent", map[string]string{"zone": "a"}),
		},
		[]*corev1.Pod{
			pod("shop", "web-2", "node-b", map[string]string{"app": "web", "tier": "front"}, "proxy", "web"),
			pod("shop", "web-1", "node-a", map[string]string{"app": "web", "tier": "front"}, "proxy", "web"),
			pod("shop", "idle", "node-a", map[string]string{"app": "idle"}, "idle"),
			pod("shop", "fresh", "node-a", map[string]string{"app": "web"}, "web"),
			pod("batch", "web-1", "node-b", map[string]string{"app": "batch"}, "job"),
			pod("lies", "claimed", "node-a", nil, "c"),
			pod("zoo", "plain", "node-c", nil, "c"),
		},
		&fakeUsage{
			pods: map[string]storage.PodUsage{
				"node-a/shop/web-1": {Time: sampled, Window: 15_250, Containers: []storage.ContainerUsage{
					{Name: "proxy", CPU: 1_234_567, Memory: 10 << 20, Swap: 4096, HasSwap: true},
					{Name: "web", CPU: 250_000_000, Memory: 52_428_801, HasSwap: true},
				}},
				"node-b/shop/web-2": {Time: sampled + 1000, Window: 14_000, Containers: []storage.ContainerUsage{
					{Name: "proxy", CPU: 1, Memory: 1},
					{Name: "web", CPU: 3_000_000_000, Memory: 3 << 30},
				}},
				"node-a/shop/idle": {Time: sampled, Window: 15_000, Containers: []storage.ContainerUsage{{Name: "idle"}}},
				"node-b/batch/web-1": {Time: sampled, Window: 15_000, Containers: []storage.ContainerUsage{
					{Name: "job", CPU: math.MaxInt64, Memory: math.MaxInt64, Swap: math.MaxUint64, HasSwap: true},
				}},
				"node-b/lies/claimed": {Time: sampled, Window: 15_000, Containers: []storage.ContainerUsage{{Name: "c", CPU: 1}}},
				"node-a/shop/gone":    {Time: sampled, Window: 15_000, Containers: []storage.ContainerUsage{{Name: "c", CPU: 1}}},
				"node-c/zoo/plain":    {Time: sampled, Window: 15_000, Containers: []storage.ContainerUsage{{Name: "c", CPU: 1_000, Memory: 1_000}}},
			},
			nodes: map[string]storage.NodeUsage{
				"node-a": {Time: sampled, Window: 15_250, CPU: 412_345_678, Memory: 2 << 30, Swap: 0, HasSwap: true},
				"node-b": {Time: sampled + 1000, Window: 14_000, CPU: 0, Memory: 0},
				"node-c": {Time: sampled, Window: 15_000, CPU: 7, Memory: 1_000_000_007},
				"gone":   {Time: sampled, Window: 15_000, CPU: 1, Memory: 1},
			},
		},
	)
}

// newServer is a generic API server, with nobody asked who they are or what
// they may do, that serves source. Its hooks have not been started.
func newServer(t testing.TB, source *Source, collecting func() error) *genericapiserver.GenericAPIServer {
	t.Helper()
	server, _ := newServerAnd(t, source, collecting)
	return server
}

// newServerAnd also tells how lists are served, which may be changed before the
// first request.
func newServerAnd(t testing.TB, source *Source, collecting func() error) (*genericapiserver.GenericAPIServer, *served) {
	t.Helper()
	config := apitest.Config(Scheme, Codecs)
	server := apitest.New(t, config)
	served, err := installGroup(server, source)
	if err != nil {
		t.Fatal(err)
	}
	if err := RegisterProbes(server, source, collecting, identified); err != nil {
		t.Fatal(err)
	}
	server.PrepareRun()
	return server, served
}

// serve is a server of source that can be asked over HTTP.
func serve(t *testing.T, source *Source) *endpoint {
	t.Helper()
	server := newServer(t, source, func() error { return nil })
	listening := httptest.NewServer(server.Handler)
	t.Cleanup(listening.Close)
	return &endpoint{t: t, url: listening.URL}
}

// endpoint asks a server.
type endpoint struct {
	t   *testing.T
	url string
}

// answer is what a server said.
type answer struct {
	code        int
	contentType string
	body        []byte
}

const asJSON = "application/json"

// get asks for a path below /apis/metrics.k8s.io.
func (e *endpoint) get(path, accept string) answer {
	e.t.Helper()
	return e.do(http.MethodGet, "/apis/metrics.k8s.io/"+path, accept, "")
}

func (e *endpoint) do(method, path, accept, body string) answer {
	e.t.Helper()
	request, err := http.NewRequestWithContext(e.t.Context(), method, e.url+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	if body != "" {
		request.Header.Set("Content-Type", asJSON)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		e.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return answer{code: response.StatusCode, contentType: response.Header.Get("Content-Type"), body: content}
}

// config is a client's configuration for one encoding.
func (e *endpoint) config(contentType string) *rest.Config {
	return &rest.Config{Host: e.url, ContentConfig: rest.ContentConfig{ContentType: contentType, AcceptContentTypes: contentType}, QPS: -1}
}

var moments = regexp.MustCompile(`("?creationTimestamp"?: ?)"[^"]+"`)

// golden compares got, with the moment of the answer left out, with a file.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	got = moments.ReplaceAll(got, []byte(`${1}"NOW"`))
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (write it anew with -update):\n%s\nwant:\n%s", file, got, want)
	}
}
