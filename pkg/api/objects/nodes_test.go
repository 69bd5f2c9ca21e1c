// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// recordedEvents is what a store of nodes told.
type recordedEvents struct{ log []string }

func (r *recordedEvents) NodeSet(node *corev1.Node) { r.log = append(r.log, "set "+node.Name) }
func (r *recordedEvents) NodeDeleted(name string)   { r.log = append(r.log, "delete "+name) }

func (r *recordedEvents) want(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(r.log, want) {
		t.Errorf("events %q, want %q", r.log, want)
	}
	r.log = nil
}

// TestNodeStore walks through a store's life and the events that it tells.
func TestNodeStore(t *testing.T) {
	var events recordedEvents
	nodes := NewNodes(&events)
	wantNodes(t, nodes)
	must(t, nodes.Add(someNode("c", nil)))
	if nodes.HasSynced() {
		t.Error("synced by a single node")
	}
	events.want(t, "set c")
	must(t, nodes.Replace([]any{someNode("b", nil), someNode("a", nil)}, "5"))
	if !nodes.HasSynced() {
		t.Error("not synced by a list")
	}
	events.want(t, "set b", "set a", "delete c")
	wantNodes(t, nodes, "a", "b")
	kept := nodes.List()

	must(t, nodes.Update(someNode("a", map[string]string{"zone": "x"})))
	must(t, nodes.Add(someNode("aa", nil)))
	must(t, nodes.Delete(someNode("b", nil)))
	events.want(t, "set a", "set aa", "delete b")
	wantNodes(t, nodes, "a", "aa")
	if got, _ := nodes.Get("a"); got.Labels["zone"] != "x" {
		t.Errorf("labels %v", got.Labels)
	}
	if _, ok := nodes.Get("b"); ok {
		t.Error("a deleted node is there")
	}
	if len(kept) != 2 || kept[0].Name != "a" || kept[0].Labels != nil || kept[1].Name != "b" {
		t.Errorf("a list that was given out changed: %+v", kept)
	}
	must(t, nodes.Resync())
	must(t, nodes.Replace(nil, "6"))
	events.want(t, "delete a", "delete aa")
	wantNodes(t, nodes)
	if !nodes.HasSynced() {
		t.Error("no longer synced")
	}
	// Nobody is told of what was not there.
	must(t, nodes.Delete(someNode("a", nil)))
	events.want(t)
}

// TestNodeUnchanged: a kubelet's heartbeat, or a list anew, changes nothing that
// is kept, so nobody is told.
func TestNodeUnchanged(t *testing.T) {
	var events recordedEvents
	nodes := NewNodes(&events, "keep")
	beat := func(reason string, labels, annotations map[string]string) *corev1.Node {
		node := someNode("a", labels)
		node.Annotations = annotations
		node.ResourceVersion = reason
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Reason: reason}}
		return node
	}
	must(t, nodes.Add(beat("1", nil, nil)))
	events.want(t, "set a")
	before := nodes.List()
	must(t, nodes.Update(beat("2", nil, nil)))
	must(t, nodes.Replace([]any{beat("3", map[string]string{}, map[string]string{"drop": "me"})}, ""))
	events.want(t)
	if after := nodes.List(); &after[0] != &before[0] {
		t.Error("sorted anew for nothing")
	}
	must(t, nodes.Update(beat("4", map[string]string{"zone": "x"}, nil)))
	events.want(t, "set a")
	must(t, nodes.Update(beat("5", map[string]string{"zone": "x"}, map[string]string{"keep": "me"})))
	events.want(t, "set a")
}

// TestNodeRecreated: another node under the name of one whose deletion was
// missed, while the watch was down, is told as what it is, so that nobody takes
// a rate from the one to the other.
func TestNodeRecreated(t *testing.T) {
	var events recordedEvents
	nodes := NewNodes(&events)
	with := func(uid types.UID) *corev1.Node {
		node := someNode("a", nil)
		node.UID = uid
		return node
	}
	must(t, nodes.Replace([]any{with("1")}, ""))
	events.want(t, "set a")
	must(t, nodes.Replace([]any{with("2")}, ""))
	events.want(t, "delete a", "set a")
	must(t, nodes.Update(with("2")))
	events.want(t)
	wantNodes(t, nodes, "a")
}

// TestNodeKeptFields holds what is kept of a node, and that nothing else is.
func TestNodeKeptFields(t *testing.T) {
	nodes := NewNodes(nil, "keep", "absent")
	object := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: "a", UID: "u", ResourceVersion: "9", Labels: map[string]string{"zone": "x"},
			Annotations: map[string]string{"keep": "me", "drop": "me"}, ManagedFields: []metav1.ManagedFieldsEntry{{}},
		},
		Spec: corev1.NodeSpec{ProviderID: "p", Taints: []corev1.Taint{{Key: "k"}}},
		Status: corev1.NodeStatus{
			Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.1"}},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: 10250}},
			NodeInfo:        corev1.NodeSystemInfo{KubeletVersion: "v1.37.0", KernelVersion: "6.1"},
			Images:          []corev1.ContainerImage{{Names: []string{"large"}}},
		},
	}
	must(t, nodes.Add(object))
	got, _ := nodes.Get("a")
	want := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "a", UID: "u", Labels: object.Labels, Annotations: map[string]string{"keep": "me"}},
		Status: corev1.NodeStatus{
			Addresses: object.Status.Addresses, DaemonEndpoints: object.Status.DaemonEndpoints,
			NodeInfo: corev1.NodeSystemInfo{KubeletVersion: "v1.37.0"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	// Through client-go's temporary store it is the same.
	small, err := nodes.Transformer()(object)
	must(t, err)
	if !reflect.DeepEqual(small, any(want)) {
		t.Errorf("%+v, want %+v", small, want)
	}
}

// TestNodeInputs: tombstones are understood, and nothing else is taken for a
// node.
func TestNodeInputs(t *testing.T) {
	nodes := NewNodes(nil)
	must(t, nodes.Replace([]any{someNode("a", nil), someNode("b", nil)}, ""))
	must(t, nodes.Delete(cache.DeletedFinalStateUnknown{Key: "a", Obj: someNode("a", nil)}))
	wantNodes(t, nodes, "b")
	for _, wrong := range []any{nil, "b", &corev1.Pod{}, corev1.Node{}, cache.DeletedFinalStateUnknown{Key: "b"}} {
		for what, err := range map[string]error{
			"add": nodes.Add(wrong), "update": nodes.Update(wrong), "delete": nodes.Delete(wrong), "replace": nodes.Replace([]any{wrong}, ""),
		} {
			if err == nil {
				t.Errorf("%s took in a %T", what, wrong)
			}
		}
		// A transformer that returns a typed nil beside its error would be taken for
		// an object by who forgets to look.
		if obj, err := nodes.Transformer()(wrong); err == nil || obj != nil {
			t.Errorf("the transformer took in a %T: %v", wrong, obj)
		}
	}
	wantNodes(t, nodes, "b")
}

// TestNodeListWithAStranger: a list with something else in it is refused whole.
func TestNodeListWithAStranger(t *testing.T) {
	var events recordedEvents
	nodes := NewNodes(&events)
	if err := nodes.Replace([]any{someNode("a", nil), &corev1.Pod{}}, ""); err == nil {
		t.Fatal("taken in")
	}
	if nodes.HasSynced() {
		t.Error("synced by half a list")
	}
	wantNodes(t, nodes)
	events.want(t)
}

// TestNodesConcurrent reads everything while everything changes, for the race
// detector.
func TestNodesConcurrent(t *testing.T) {
	var events recordedEvents
	nodes := NewNodes(&events)
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
				list := nodes.List()
				if !slices.IsSortedFunc(list, func(a, b *corev1.Node) int {
					if a.Name < b.Name {
						return -1
					}
					return 1
				}) {
					t.Error("out of order")
				}
				nodes.Get("node-1")
			}
		})
	}
	for i := range 2000 {
		node := someNode(fmt.Sprintf("node-%d", i%13), nil)
		switch i % 4 {
		case 0:
			must(t, nodes.Delete(node))
		case 1:
			if i%100 == 1 {
				must(t, nodes.Replace([]any{node}, ""))
			}
		default:
			must(t, nodes.Update(node))
		}
	}
	close(stop)
	readers.Wait()
}
