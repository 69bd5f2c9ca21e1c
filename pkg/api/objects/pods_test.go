// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestPodStore walks through a store's life.
func TestPodStore(t *testing.T) {
	pods := NewPods()
	t.Cleanup(func() { checkPods(t, pods) })
	wantPods(t, pods, "")
	must(t, pods.Add(runningPod("b", "2", "n", nil)))
	if pods.HasSynced() {
		t.Error("synced by a single pod")
	}
	must(t, pods.Replace([]any{
		runningPod("b", "2", "n", nil), runningPod("b", "10", "n", nil), runningPod("a", "z", "n", nil), runningPod("a-b", "m", "n", nil),
	}, "5"))
	if !pods.HasSynced() {
		t.Error("not synced by a list")
	}
	// By namespace first: "a-b/…" sorts between "a/…" and "b/…" as namespaces do,
	// not as joined keys would.
	wantPods(t, pods, "", "a/z", "a-b/m", "b/10", "b/2")
	wantPods(t, pods, "b", "b/10", "b/2")
	wantPods(t, pods, "absent")

	must(t, pods.Update(runningPod("b", "1", "n", nil)))
	must(t, pods.Delete(runningPod("b", "10", "n", nil)))
	must(t, pods.Delete(runningPod("a", "z", "n", nil)))
	must(t, pods.Delete(runningPod("a", "z", "n", nil)))
	must(t, pods.Delete(runningPod("absent", "z", "n", nil)))
	wantPods(t, pods, "", "a-b/m", "b/1", "b/2")
	if _, ok := pods.Get("a", "z"); ok {
		t.Error("a deleted pod is there")
	}
	if _, ok := pods.Get("b", "absent"); ok {
		t.Error("an absent pod is there")
	}

	must(t, pods.Replace([]any{runningPod("b", "2", "n", nil), runningPod("c", "1", "n", nil)}, "9"))
	wantPods(t, pods, "", "b/2", "c/1")
	if got := pods.Len(); got != 2 {
		t.Errorf("%d pods, want 2", got)
	}
	must(t, pods.Resync())
	must(t, pods.Replace(nil, "10"))
	wantPods(t, pods, "")
	if !pods.HasSynced() {
		t.Error("no longer synced")
	}
	shared := &pods.mu.shared
	if n := len(shared.labels.byKey) + len(shared.containers.byKey) + len(shared.namespaces.byKey) + len(shared.nodes.byKey); n != 0 {
		t.Errorf("%d shared parts are held by nobody", n)
	}
}

// TestPodKeptFields holds what is kept of a pod.
func TestPodKeptFields(t *testing.T) {
	started := metav1.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	object := runningPod("shop", "web-1", "node-a", map[string]string{"app": "web"}, "web")
	object.Status.StartTime = &started
	pods := NewPods()
	must(t, pods.Add(object))
	got, ok := pods.Get("shop", "web-1")
	if !ok {
		t.Fatal("absent")
	}
	want := storage.PodQuery{
		Node: "node-a", Namespace: "shop", Name: "web-1", Started: storage.MillisOf(started.Time),
		Containers: []storage.ContainerStatus{{Name: "web", Running: true}},
	}
	query := got.Query()
	if query.Known != pods.Find("shop", "web-1") || query.Place == nil || query.NodePlace == nil {
		t.Errorf("%+v", query)
	}
	query.Known, query.Place, query.NodePlace = nil, nil, nil
	if !reflect.DeepEqual(query, want) {
		t.Errorf("%+v, want %+v", query, want)
	}
	if !maps.Equal(got.Labels.Set(), object.Labels) {
		t.Errorf("labels %q", got.Labels)
	}
	must(t, pods.Update(runningPod("shop", "web-1", "", nil)))
	if got, _ := pods.Get("shop", "web-1"); got.Started != 0 || got.Node != "" || len(got.Labels) != 0 || len(got.Containers.Statuses) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestContainerStatuses: what the status says of each container, of all three
// kinds.
func TestContainerStatuses(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	pod := &corev1.Pod{
		Spec: corev1.PodSpec{InitContainers: []corev1.Container{{Name: "setup"}, {Name: "proxy", RestartPolicy: &always}}},
		Status: corev1.PodStatus{
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "setup", State: terminated()}, {Name: "proxy", State: running()}},
			ContainerStatuses: []corev1.ContainerStatus{
				{Name: "web", State: running()},
				{Name: "crasher", State: waiting()},
				{Name: "done", State: terminated()},
				{Name: "silent"},
			},
			EphemeralContainerStatuses: []corev1.ContainerStatus{{Name: "debugger", State: running()}, {Name: "debugged", State: terminated()}},
		},
	}
	want := []storage.ContainerStatus{
		{Name: "setup"},
		{Name: "proxy", Running: true},
		{Name: "web", Running: true},
		{Name: "crasher"},
		{Name: "done"},
		{Name: "silent"},
		{Name: "debugger", Running: true},
		{Name: "debugged"},
	}
	trimmed, err := trimPod(pod)
	must(t, err)
	if !reflect.DeepEqual(trimmed.Containers.Statuses, want) {
		t.Errorf("%+v, want %+v", trimmed.Containers.Statuses, want)
	}
}

// TestPodMoved: recreated under its name on another node, the store has the new
// one only, and readers of the old one keep it unchanged.
func TestPodMoved(t *testing.T) {
	pods := NewPods()
	t.Cleanup(func() { checkPods(t, pods) })
	must(t, pods.Add(runningPod("shop", "db-0", "node-a", map[string]string{"v": "1"}, "db")))
	before, _ := pods.Get("shop", "db-0")
	list := slices.Collect(pods.All("shop"))

	// A reflector that missed the deletion sees an update.
	must(t, pods.Update(runningPod("shop", "db-0", "node-b", map[string]string{"v": "2"}, "db", "proxy")))
	after, _ := pods.Get("shop", "db-0")
	if after.Node != "node-b" || after.Labels.Get("v") != "2" || len(after.Containers.Statuses) != 2 {
		t.Errorf("%+v", after)
	}
	if before.Node != "node-a" || before.Labels.Get("v") != "1" || list[0] != before {
		t.Errorf("the old one changed: %+v", before)
	}
	// The interners have forgotten what only the old one had.
	if got := len(pods.mu.shared.namespaces.byKey) + len(pods.mu.shared.nodes.byKey); got != 2 {
		t.Errorf("%d strings, want the namespace and node-b", got)
	}
	if got := len(pods.mu.shared.labels.byKey); got != 1 {
		t.Errorf("%d label sets, want 1", got)
	}

	must(t, pods.Delete(runningPod("shop", "db-0", "node-b", nil)))
	must(t, pods.Add(runningPod("shop", "db-0", "node-c", nil, "db")))
	if again, _ := pods.Get("shop", "db-0"); again.Node != "node-c" {
		t.Errorf("%+v", again)
	}
	wantPods(t, pods, "shop", "shop/db-0")
}

// TestPodSharing: what is equal is held once, whatever the order in which a map
// gives its labels.
func TestPodSharing(t *testing.T) {
	pods := NewPods()
	t.Cleanup(func() { checkPods(t, pods) })
	labels := map[string]string{"app": "web", "tier": "front", "hash": "6d4b75cb6d"}
	for _, name := range []string{"1", "2", "3"} {
		must(t, pods.Add(runningPod("shop", name, "node-a", labels, "web", "proxy")))
	}
	one, _ := pods.Get("shop", "1")
	two, _ := pods.Get("shop", "2")
	if unsafe.StringData(string(one.Labels)) != unsafe.StringData(string(two.Labels)) {
		t.Error("equal labels are held twice")
	}
	if one.Containers != two.Containers {
		t.Error("equal statuses are held twice")
	}
	// The same text, cut elsewhere, is something else.
	must(t, pods.Add(runningPod("shop", "4", "node-a", map[string]string{"a": "bc"})))
	must(t, pods.Add(runningPod("shop", "5", "node-a", map[string]string{"ab": "c"})))
	must(t, pods.Add(runningPod("shop", "6", "node-a", map[string]string{"a": "", "bc": ""})))
	for name, want := range map[string]map[string]string{"4": {"a": "bc"}, "5": {"ab": "c"}, "6": {"a": "", "bc": ""}} {
		if got, _ := pods.Get("shop", name); !maps.Equal(got.Labels.Set(), want) {
			t.Errorf("%s has labels %q, want %v", name, got.Labels, want)
		}
	}
	// One changes alone.
	changed := runningPod("shop", "1", "node-a", labels, "web", "proxy")
	changed.Status.ContainerStatuses[1].State = waiting()
	must(t, pods.Update(changed))
	one, _ = pods.Get("shop", "1")
	two, _ = pods.Get("shop", "2")
	if one.Containers.Statuses[1].Running || !two.Containers.Statuses[1].Running {
		t.Errorf("%+v %+v", one.Containers.Statuses, two.Containers.Statuses)
	}
}

// TestPodInputs: tombstones are understood, and nothing else is taken for a pod.
func TestPodInputs(t *testing.T) {
	pods := NewPods()
	t.Cleanup(func() { checkPods(t, pods) })
	must(t, pods.Replace([]any{runningPod("a", "1", "n", nil), runningPod("a", "2", "n", nil), runningPod("a", "3", "n", nil)}, ""))
	must(t, pods.Delete(cache.DeletedFinalStateUnknown{Key: "a/1", Obj: runningPod("a", "1", "n", nil)}))
	must(t, pods.Delete(&Pod{Namespace: "a", Name: "2"}))
	wantPods(t, pods, "a", "a/3")
	for _, wrong := range []any{nil, "a/3", &corev1.Node{}, corev1.Pod{}, cache.DeletedFinalStateUnknown{Key: "a/3"}} {
		for what, err := range map[string]error{
			"add": pods.Add(wrong), "update": pods.Update(wrong), "delete": pods.Delete(wrong), "replace": pods.Replace([]any{wrong}, ""),
		} {
			if err == nil {
				t.Errorf("%s took in a %T", what, wrong)
			}
		}
		// A typed nil beside the error would be taken for a pod by who forgets to
		// look.
		if obj, err := pods.Transformer()(wrong); err == nil || obj != nil {
			t.Errorf("the transformer took in a %T: %v", wrong, obj)
		}
	}
	wantPods(t, pods, "a", "a/3")
}

// TestPodListWithAStranger: a list with something else in it is refused whole.
func TestPodListWithAStranger(t *testing.T) {
	pods := NewPods()
	t.Cleanup(func() { checkPods(t, pods) })
	if err := pods.Replace([]any{runningPod("a", "1", "n", nil), &corev1.Node{}}, ""); err == nil {
		t.Fatal("taken in")
	}
	if pods.HasSynced() {
		t.Error("synced by half a list")
	}
	wantPods(t, pods, "")
}

// TestPodTransformer: what it returns is small, has a key for client-go's
// temporary store, and is taken in again as it is.
func TestPodTransformer(t *testing.T) {
	pods := NewPods()
	object := runningPod("shop", "web-1", "node-a", map[string]string{"app": "web"}, "web")
	small, err := pods.Transformer()(object)
	must(t, err)
	if _, ok := small.(*Pod); !ok {
		t.Fatalf("%T", small)
	}
	key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(small)
	if err != nil || key != "shop/web-1" {
		t.Errorf("key %q, %v", key, err)
	}
	if accessor, err := meta.Accessor(small); err != nil || accessor.GetName() != "web-1" {
		t.Errorf("%v", err)
	}
	again, err := pods.Transformer()(small)
	if err != nil || again != small {
		t.Errorf("transformed twice: %v, %v", again, err)
	}
	must(t, pods.Replace([]any{small}, ""))
	got, _ := pods.Get("shop", "web-1")
	want := *small.(*Pod)
	want.held, want.node = got.held, got.node
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestPodsConcurrent reads everything while everything changes, for the race
// detector; what is read must be whole.
func TestPodsConcurrent(t *testing.T) {
	pods := NewPods()
	t.Cleanup(func() { checkPods(t, pods) })
	nodes := []string{"node-a", "node-b"}
	make1 := func(i int) *corev1.Pod {
		node := nodes[i%2]
		return runningPod("ns-"+string(rune('a'+i%3)), "pod-"+string(rune('a'+i%7)), node, map[string]string{"node": node}, node)
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var before *Pod
				for _, pod := range slices.Collect(pods.All("")) {
					if pod.Labels.Get("node") != pod.Node || pod.Containers.Statuses[0].Name != pod.Node {
						t.Errorf("half a pod: %+v", pod)
					}
					if before != nil && (before.Namespace > pod.Namespace || before.Namespace == pod.Namespace && before.Name >= pod.Name) {
						t.Errorf("%s/%s after %s/%s", pod.Namespace, pod.Name, before.Namespace, before.Name)
					}
					before = pod
				}
				for range pods.All("ns-b") {
				}
				pods.Get("ns-a", "pod-a")
				pods.Len()
			}
		})
	}
	var errs error
	for i := range 2000 {
		switch i % 5 {
		case 3:
			errs = errors.Join(errs, pods.Delete(make1(i*3)))
		case 4:
			if i%100 == 4 {
				errs = errors.Join(errs, pods.Replace([]any{make1(i), make1(i + 1)}, ""))
			}
		default:
			errs = errors.Join(errs, pods.Update(make1(i)))
		}
	}
	close(stop)
	readers.Wait()
	must(t, errs)
}
