// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package servingca

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/metrics"
)

const (
	secretPath = "/api/v1/namespaces/kube-system/secrets/metrics-server-ca"
	v1Path     = apiServicesPath + "/v1.metrics.k8s.io"
	betaPath   = apiServicesPath + "/v1beta1.metrics.k8s.io"
)

// allowed are the requests that the rights in our manifests cover; list, which
// they also cover, is not needed.
var allowed = map[string][]string{
	secretPath: {"get", "watch", "update"},
	v1Path:     {"get", "watch", "patch"},
	betaPath:   {"get", "watch", "patch"},
}

// fakeAPI is an API server with one Secret and some APIServices: optimistic
// locking, watches, and no network, so that time can be made up around it.
type fakeAPI struct {
	t *testing.T

	mu struct {
		sync.Mutex
		objects  map[string]map[string]any // By path.
		version  int
		watches  map[*io.PipeWriter]string // To the path watched.
		requests map[string]int            // By verb and path.
	}
	// before, where it is set, may block a request or answer in its place, with
	// a status that is not 0.
	before func(verb, path string) int
}

func newFakeAPI(t *testing.T) *fakeAPI {
	f := &fakeAPI{t: t}
	f.mu.objects = map[string]map[string]any{}
	f.mu.watches = map[*io.PipeWriter]string{}
	f.mu.requests = map[string]int{}
	f.put(secretPath, map[string]any{"apiVersion": "v1", "kind": "Secret"})
	f.put(v1Path, verifiedAPIService("kube-system", "metrics-server"))
	return f
}

// verifiedAPIService is an APIService that asks for verification, yet without a
// bundle.
func verifiedAPIService(namespace, name string) map[string]any {
	return map[string]any{"spec": map[string]any{"service": map[string]any{"namespace": namespace, "name": name}}}
}

// newKeeper makes one of the replicas that share the API server.
func (f *fakeAPI) newKeeper() *Keeper {
	f.t.Helper()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: "http://api", Transport: f, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	if err != nil {
		f.t.Fatal(err)
	}
	k, err := New(Options{
		Client:      client,
		Secret:      types.NamespacedName{Namespace: "kube-system", Name: "metrics-server-ca"},
		Service:     types.NamespacedName{Namespace: "kube-system", Name: "metrics-server"},
		APIServices: []string{"v1.metrics.k8s.io", "v1beta1.metrics.k8s.io"},
		Registry:    metrics.NewKubeRegistry(),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return k
}

// put makes or replaces an object and tells those who watch it.
func (f *fakeAPI) put(path string, object map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.putLocked(path, object)
}

func (f *fakeAPI) putLocked(path string, object map[string]any) {
	f.mu.version++
	object = maps.Clone(object)
	object["metadata"] = map[string]any{"name": path[strings.LastIndex(path, "/")+1:], "resourceVersion": strconv.Itoa(f.mu.version)}
	f.mu.objects[path] = object
	for w, watched := range f.mu.watches {
		if watched == path {
			go fmt.Fprintln(w, `{"type":"MODIFIED"}`) // Fails when the watch has ended.
		}
	}
}

// get is an object's field, where it exists.
func (f *fakeAPI) get(path string, fields ...string) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	var value any = f.mu.objects[path]
	for _, field := range fields {
		object, _ := value.(map[string]any)
		value = object[field]
	}
	return value
}

// bundle is what an APIService trusts.
func (f *fakeAPI) bundle(path string) []byte {
	f.t.Helper()
	return f.decode(f.get(path, "spec", "caBundle"))
}

// decode reads base64 as JSON does.
func (f *fakeAPI) decode(value any) (decoded []byte) {
	f.t.Helper()
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, &decoded)
	}
	if err != nil {
		f.t.Error(err)
	}
	return decoded
}

// state is what the Secret holds.
func (f *fakeAPI) state() state {
	f.t.Helper()
	data := map[string][]byte{}
	stored, _ := f.get(secretPath, "data").(map[string]any)
	for key, value := range stored {
		data[key] = f.decode(value)
	}
	s, err := parseState(data)
	if err != nil {
		f.t.Error(err)
	}
	return s
}

// putState writes a state to the Secret.
func (f *fakeAPI) putState(s state) {
	f.t.Helper()
	data, err := s.render(nil)
	if err != nil {
		f.t.Fatal(err)
	}
	f.putData(data)
}

// putData writes data to the Secret.
func (f *fakeAPI) putData(data map[string][]byte) {
	stored := map[string]any{}
	for key, value := range data {
		stored[key] = value
	}
	f.put(secretPath, map[string]any{"apiVersion": "v1", "kind": "Secret", "data": stored})
}

// count is how many requests with one of the verbs there were, for whatever.
func (f *fakeAPI) count(verbs ...string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for request, times := range f.mu.requests {
		if verb, _, _ := strings.Cut(request, " "); slices.Contains(verbs, verb) {
			n += times
		}
	}
	return n
}

// RoundTrip answers a request.
func (f *fakeAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	path, verb := r.URL.Path, map[string]string{http.MethodGet: "get", http.MethodPut: "update", http.MethodPatch: "patch"}[r.Method]
	if r.URL.Query().Get("watch") != "" {
		name, _ := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
		verb, path = "watch", path+"/"+name
	}
	if !slices.Contains(allowed[path], verb) {
		f.t.Errorf("%s %s: our manifests give no right to this", r.Method, r.URL)
	}
	f.mu.Lock()
	f.mu.requests[verb+" "+path]++
	f.mu.Unlock()
	if f.before != nil {
		if status := f.before(verb, path); status != 0 {
			return failure(r, status)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	object, ok := f.mu.objects[path]
	switch {
	case verb == "watch":
		return f.watchLocked(r, path, ok), nil
	case !ok:
		return failure(r, http.StatusNotFound)
	case verb == "get":
		return answer(r, http.StatusOK, object)
	}
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		f.t.Error(err)
	}
	now, _ := object["metadata"].(map[string]any)
	named, _ := body["metadata"].(map[string]any)
	if named["resourceVersion"] != now["resourceVersion"] {
		return failure(r, http.StatusConflict)
	}
	if verb == "patch" {
		if got := r.Header.Get("Content-Type"); got != string(types.MergePatchType) {
			f.t.Errorf("a patch of type %q", got)
		}
		spec, _ := object["spec"].(map[string]any)
		change, _ := body["spec"].(map[string]any)
		spec = maps.Clone(spec)
		maps.Copy(spec, change)
		body = map[string]any{"spec": spec}
	}
	f.putLocked(path, body)
	return answer(r, http.StatusOK, f.mu.objects[path])
}

// watchLocked begins a watch, with an event for what is there.
func (f *fakeAPI) watchLocked(r *http.Request, path string, exists bool) *http.Response {
	stream, w := io.Pipe()
	f.mu.watches[w] = path
	if exists {
		go fmt.Fprintln(w, `{"type":"ADDED"}`)
	}
	stop := func() {
		w.CloseWithError(r.Context().Err())
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.mu.watches, w)
	}
	go func() { <-r.Context().Done(); stop() }()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: stream, Request: r}
}

// endWatches ends all watches, as an API server does now and then.
func (f *fakeAPI) endWatches() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.mu.watches {
		w.Close()
	}
	clear(f.mu.watches)
}

func answer(r *http.Request, status int, object any) (*http.Response, error) {
	body, err := json.Marshal(object)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(string(body))), Request: r,
	}, err
}

func failure(r *http.Request, status int) (*http.Response, error) {
	reason := map[int]metav1.StatusReason{
		http.StatusNotFound: metav1.StatusReasonNotFound, http.StatusConflict: metav1.StatusReasonConflict, http.StatusForbidden: metav1.StatusReasonForbidden,
	}[status]
	return answer(r, status, metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: int32(status), Reason: reason, Message: http.StatusText(status),
	})
}
