// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// apiServer is a Kubernetes API server, as far as a reflector sees of it, on
// connections in memory, so that it can live in a bubble of synctest.
type apiServer struct {
	t *testing.T
	// streams is whether a watch can begin with the initial objects.
	streams bool
	// listed is closed to let the first list end; initial is what it has.
	listed  chan struct{}
	initial []runtime.Object

	connections chan net.Conn
	ended       chan struct{}

	mu struct {
		sync.Mutex
		// asked is the parameters of each request.
		asked []url.Values
		// watching is where the events of the open watch go.
		watching chan frame
		// expired makes the next watch fail.
		expired bool
	}
}

// frame is one event of a watch.
type frame struct {
	Type   watch.EventType `json:"type"`
	Object any             `json:"object"`
}

// newAPIServer begins a server in this bubble, and a client of it.
func newAPIServer(t *testing.T, streams bool, initial ...runtime.Object) (*apiServer, kubernetes.Interface) {
	t.Helper()
	a := &apiServer{
		t: t, streams: streams, initial: initial,
		listed: make(chan struct{}), connections: make(chan net.Conn), ended: make(chan struct{}),
	}
	server := &http.Server{Handler: a, ReadHeaderTimeout: time.Hour}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case a.connections <- theirs:
			return ours, nil
		case <-a.ended:
			return nil, net.ErrClosed
		}
	}}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(a); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
		serving.Wait()
	})
	client, err := kubernetes.NewForConfig(&rest.Config{Host: "http://cluster.example", Transport: transport, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	return a, client
}

// Accept is net.Listener's.
func (a *apiServer) Accept() (net.Conn, error) {
	select {
	case connection := <-a.connections:
		return connection, nil
	case <-a.ended:
		return nil, net.ErrClosed
	}
}

// Close is net.Listener's.
func (a *apiServer) Close() error {
	select {
	case <-a.ended:
	default:
		close(a.ended)
	}
	return nil
}

// Addr is net.Listener's.
func (a *apiServer) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	query.Set("path", r.URL.Path)
	a.mu.Lock()
	a.mu.asked = append(a.mu.asked, query)
	expired := a.mu.expired
	a.mu.expired = false
	a.mu.Unlock()

	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	switch {
	case query.Get("watch") == "":
		if !a.wait(r.Context()) {
			return
		}
		a.say(encoder.Encode(map[string]any{
			"kind": a.initial[0].GetObjectKind().GroupVersionKind().Kind + "List", "apiVersion": "v1", "metadata": map[string]any{"resourceVersion": "10"}, "items": a.initial,
		}))
	case expired:
		a.say(encoder.Encode(frame{watch.Error, &metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
			Status:   metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonExpired,
		}}))
	case query.Get("sendInitialEvents") == "true" && !a.streams:
		w.WriteHeader(http.StatusUnprocessableEntity)
		a.say(encoder.Encode(&metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
			Status:   metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid,
			Message: "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
		}))
	default:
		a.watch(w, r, query.Get("sendInitialEvents") == "true")
	}
}

// watch streams events until the client or the test has enough.
func (a *apiServer) watch(w http.ResponseWriter, r *http.Request, initial bool) {
	events := make(chan frame)
	a.mu.Lock()
	a.mu.watching = events
	a.mu.Unlock()
	encoder := json.NewEncoder(w)
	flush := func() { a.say(http.NewResponseController(w).Flush()) }
	flush()
	if initial {
		for _, object := range a.initial {
			a.say(encoder.Encode(frame{watch.Added, object}))
		}
		flush()
		if !a.wait(r.Context()) {
			return
		}
		a.say(encoder.Encode(frame{watch.Bookmark, bookmark(a.initial[0], map[string]string{metav1.InitialEventsAnnotationKey: "true"})}))
		flush()
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case event, open := <-events:
			if !open {
				return
			}
			a.say(encoder.Encode(event))
			flush()
		}
	}
}

// bookmark is an object of like's kind that has nothing but a version.
func bookmark(like runtime.Object, annotations map[string]string) any {
	kind := like.GetObjectKind().GroupVersionKind().Kind
	return map[string]any{"kind": kind, "apiVersion": "v1", "metadata": map[string]any{
		"resourceVersion": "20", "annotations": annotations,
	}}
}

func (a *apiServer) wait(ctx context.Context) bool {
	select {
	case <-a.listed:
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *apiServer) say(err error) {
	if err != nil {
		a.t.Errorf("answer: %v", err)
	}
}

// send sends an event of the open watch, and waits until it has been taken in.
func (a *apiServer) send(kind watch.EventType, object any) {
	a.t.Helper()
	a.mu.Lock()
	events := a.mu.watching
	a.mu.Unlock()
	events <- frame{kind, object}
	synctest.Wait()
}

// requests is what was asked.
func (a *apiServer) requests() []url.Values {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.mu.asked)
}

func typedPod(name, node string) *corev1.Pod {
	pod := runningPod("shop", name, node, map[string]string{"app": "web"}, "web")
	pod.TypeMeta = metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}
	pod.ResourceVersion = "9"
	return pod
}

func typedNode(name string) *corev1.Node {
	node := someNode(name, map[string]string{"zone": "a"})
	node.TypeMeta = metav1.TypeMeta{Kind: "Node", APIVersion: "v1"}
	node.ResourceVersion = "9"
	return node
}

// forBothListings runs a test against a server that streams its first list, and
// against one that does not.
func forBothListings(t *testing.T, test func(t *testing.T, streams bool)) {
	for name, streams := range map[string]bool{"watch-list": true, "list": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, streams) })
		})
	}
}

// TestWatchPods follows the pods of a server through a real reflector.
func TestWatchPods(t *testing.T) {
	forBothListings(t, func(t *testing.T, streams bool) {
		server, client := newAPIServer(t, streams, typedPod("1", "node-a"), typedPod("2", "node-a"))
		pods := NewPods()
		ctx, stop := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		watching.Go(func() { WatchPods(ctx, client.CoreV1().RESTClient(), pods) })

		synctest.Wait()
		if pods.HasSynced() || pods.Len() != 0 {
			t.Errorf("synced %v with %d pods, before the list is complete", pods.HasSynced(), pods.Len())
		}
		close(server.listed)
		synctest.Wait()
		if !pods.HasSynced() {
			t.Error("not synced by a complete list")
		}
		wantPods(t, pods, "", "shop/1", "shop/2")
		if pod, _ := pods.Get("shop", "1"); pod.Node != "node-a" || pod.Labels.Get("app") != "web" || len(pod.Containers.Statuses) != 1 {
			t.Errorf("%+v", pod)
		}

		server.send(watch.Added, typedPod("3", "node-b"))
		server.send(watch.Modified, typedPod("1", "node-c"))
		server.send(watch.Deleted, typedPod("2", "node-a"))
		server.send(watch.Bookmark, bookmark(typedPod("", ""), nil))
		wantPods(t, pods, "", "shop/1", "shop/3")
		if pod, _ := pods.Get("shop", "1"); pod.Node != "node-c" {
			t.Errorf("%+v", pod)
		}

		lists := 0
		for _, query := range server.requests() {
			if query.Get("watch") == "" {
				lists++
			}
			if got := query.Get("path"); got != "/api/v1/pods" {
				t.Errorf("asked for %s", got)
			}
			if got := query.Get("fieldSelector"); got != "status.phase=Running" {
				t.Errorf("asked with field selector %q: %v", got, query)
			}
		}
		// Both ways were gone.
		if want := map[bool]int{true: 0, false: 1}[streams]; lists != want {
			t.Errorf("%d lists, want %d", lists, want)
		}
		stop()
		watching.Wait()
		checkPods(t, pods)
	})
}

// TestWatchRelists: a watch that has expired is followed by a list, which removes
// what went in the meantime; the store stays synced all the while.
func TestWatchRelists(t *testing.T) {
	forBothListings(t, func(t *testing.T, streams bool) {
		server, client := newAPIServer(t, streams, typedPod("1", "node-a"))
		close(server.listed)
		pods := NewPods()
		ctx, stop := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		watching.Go(func() { WatchPods(ctx, client.CoreV1().RESTClient(), pods) })
		synctest.Wait()
		server.send(watch.Added, typedPod("2", "node-b"))
		wantPods(t, pods, "", "shop/1", "shop/2")

		server.mu.Lock()
		server.mu.expired = true
		close(server.mu.watching)
		server.mu.Unlock()
		for range 60 {
			if !pods.HasSynced() || pods.Len() == 0 {
				t.Fatalf("synced %v with %d pods, while listing again", pods.HasSynced(), pods.Len())
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		wantPods(t, pods, "", "shop/1")
		stop()
		watching.Wait()
		checkPods(t, pods)
	})
}

// TestWatchNodes follows the nodes that a selector matches.
func TestWatchNodes(t *testing.T) {
	forBothListings(t, func(t *testing.T, streams bool) {
		server, client := newAPIServer(t, streams, typedNode("b"), typedNode("a"))
		var events recordedEvents
		nodes := NewNodes(&events)
		selector, err := labels.Parse("zone in (a),!hidden")
		must(t, err)
		ctx, stop := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		watching.Go(func() { WatchNodes(ctx, client.CoreV1().RESTClient(), selector, nodes) })

		synctest.Wait()
		if nodes.HasSynced() || len(nodes.List()) != 0 || len(events.log) != 0 {
			t.Errorf("synced %v, events %q, before the list is complete", nodes.HasSynced(), events.log)
		}
		close(server.listed)
		synctest.Wait()
		if !nodes.HasSynced() {
			t.Error("not synced by a complete list")
		}
		wantNodes(t, nodes, "a", "b")
		slices.Sort(events.log)
		events.want(t, "set a", "set b")

		server.send(watch.Added, typedNode("c"))
		server.send(watch.Deleted, typedNode("a"))
		wantNodes(t, nodes, "b", "c")
		events.want(t, "set c", "delete a")
		for _, query := range server.requests() {
			if got := query.Get("path"); got != "/api/v1/nodes" {
				t.Errorf("asked for %s", got)
			}
			if got, want := query.Get("labelSelector"), selector.String(); got != want || query.Get("fieldSelector") != "" {
				t.Errorf("asked with %v, want label selector %q", query, want)
			}
		}
		stop()
		watching.Wait()
	})
}
