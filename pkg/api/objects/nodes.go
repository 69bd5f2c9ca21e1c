// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
)

// NodeEvents is told what becomes of nodes. Its methods are called one at a
// time, in order, and must not block.
type NodeEvents interface {
	// NodeSet: the node, trimmed (see Nodes), is new or has changed. One that is
	// made anew under its name is told as deleted first.
	NodeSet(node *corev1.Node)
	// NodeDeleted: the node is gone.
	NodeDeleted(name string)
}

// Nodes holds the cluster's nodes, trimmed to name, UID, labels, the annotations
// asked for, addresses, and the kubelet's port and version. It is a cache.TransformingStore.
type Nodes struct {
	events      NodeEvents
	annotations []string

	mu struct {
		sync.RWMutex
		byName map[string]labelledNode
		// sorted is the nodes by name, labels those of each; nil where they must
		// be made anew. Once made they are never written.
		sorted []*corev1.Node
		labels []wire.Labels
	}
	synced atomic.Bool
}

// labelledNode is a node and its labels as lists encode them.
type labelledNode struct {
	node   *corev1.Node
	labels wire.Labels
}

var _ cache.TransformingStore = (*Nodes)(nil)

// NewNodes is an empty store of nodes that keeps the named annotations and tells
// events (which may be nil) of every change.
func NewNodes(events NodeEvents, annotations ...string) *Nodes {
	n := &Nodes{events: events, annotations: annotations}
	n.mu.byName = map[string]labelledNode{}
	return n
}

// HasSynced is whether the first complete list has been taken in.
func (n *Nodes) HasSynced() bool { return n.synced.Load() }

// Get is the node of that name, trimmed; it must not be written.
func (n *Nodes) Get(name string) (*corev1.Node, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	held, ok := n.mu.byName[name]
	return held.node, ok
}

// List is all nodes by name. Neither the slice nor the nodes may be written.
func (n *Nodes) List() []*corev1.Node {
	nodes, _ := n.Labelled()
	return nodes
}

// Labelled is List, with the labels of each node as they are encoded.
func (n *Nodes) Labelled() ([]*corev1.Node, []wire.Labels) {
	n.mu.RLock()
	sorted, labels := n.mu.sorted, n.mu.labels
	n.mu.RUnlock()
	if sorted != nil {
		return sorted, labels
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.sorted != nil { // another reader was quicker
		return n.mu.sorted, n.mu.labels
	}
	n.mu.sorted = make([]*corev1.Node, 0, len(n.mu.byName))
	for _, held := range n.mu.byName {
		n.mu.sorted = append(n.mu.sorted, held.node)
	}
	slices.SortFunc(n.mu.sorted, func(a, b *corev1.Node) int { return cmp.Compare(a.Name, b.Name) })
	n.mu.labels = make([]wire.Labels, len(n.mu.sorted))
	for i, node := range n.mu.sorted {
		n.mu.labels[i] = n.mu.byName[node.Name].labels
	}
	return n.mu.sorted, n.mu.labels
}

// Transformer is cache.TransformingStore's: a reflector's first list is trimmed
// object by object, so that it never stands in memory whole.
func (n *Nodes) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) {
		node, err := n.trim(obj)
		if err != nil {
			return nil, err
		}
		return node, nil
	}
}

// Add is cache.ReflectorStore's.
func (n *Nodes) Add(obj any) error { return n.Update(obj) }

// Update is cache.ReflectorStore's: it takes in a node that is new or changed.
func (n *Nodes) Update(obj any) error {
	node, err := n.trim(obj)
	if err != nil {
		return err
	}
	n.set(node)
	return nil
}

// Delete is cache.ReflectorStore's.
func (n *Nodes) Delete(obj any) error {
	node, err := n.trim(obj)
	if err != nil {
		return err
	}
	n.delete(node.Name)
	return nil
}

// Replace is cache.ReflectorStore's: list is all nodes. Nothing changes where it
// fails.
func (n *Nodes) Replace(list []any, _ string) error {
	nodes := make([]*corev1.Node, 0, len(list))
	for _, obj := range list {
		node, err := n.trim(obj)
		if err != nil {
			return err
		}
		nodes = append(nodes, node)
	}
	listed := make(map[string]struct{}, len(nodes))
	for _, node := range nodes {
		listed[node.Name] = struct{}{}
		n.set(node)
	}
	for _, node := range n.List() {
		if _, ok := listed[node.Name]; !ok {
			n.delete(node.Name)
		}
	}
	n.synced.Store(true)
	return nil
}

// Resync is cache.ReflectorStore's; there is nothing to do.
func (n *Nodes) Resync() error { return nil }

// set is called by one reflector only, so that events keep their order although
// they are told outside of the lock. Most updates are heartbeats, which change
// nothing that is kept; of those nobody is told.
func (n *Nodes) set(node *corev1.Node) {
	n.mu.Lock()
	held, known := n.mu.byName[node.Name]
	before := held.node
	if known && apiequality.Semantic.DeepEqual(before, node) {
		n.mu.Unlock()
		return
	}
	n.mu.byName[node.Name] = labelledNode{node, wire.LabelsOf(node.Labels)}
	n.mu.sorted, n.mu.labels = nil, nil
	n.mu.Unlock()
	if n.events == nil {
		return
	}
	// The deletion of the node that had this name was missed.
	if known && before.UID != node.UID {
		n.events.NodeDeleted(node.Name)
	}
	n.events.NodeSet(node)
}

func (n *Nodes) delete(name string) {
	n.mu.Lock()
	_, known := n.mu.byName[name]
	if known {
		delete(n.mu.byName, name)
		n.mu.sorted, n.mu.labels = nil, nil
	}
	n.mu.Unlock()
	if known && n.events != nil {
		n.events.NodeDeleted(name)
	}
}

// trim is a copy of obj, a *corev1.Node, with no more than is kept.
func (n *Nodes) trim(obj any) (*corev1.Node, error) {
	if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = tombstone.Obj
	}
	object, ok := obj.(*corev1.Node)
	if !ok {
		return nil, fmt.Errorf("take in node: unexpected type %T", obj)
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: object.Name, UID: object.UID, Labels: object.Labels},
		Status: corev1.NodeStatus{
			Addresses: object.Status.Addresses, DaemonEndpoints: object.Status.DaemonEndpoints,
			NodeInfo: corev1.NodeSystemInfo{KubeletVersion: object.Status.NodeInfo.KubeletVersion},
		},
	}
	for _, key := range n.annotations {
		if value, ok := object.Annotations[key]; ok {
			if node.Annotations == nil {
				node.Annotations = make(map[string]string, len(n.annotations))
			}
			node.Annotations[key] = value
		}
	}
	return node, nil
}
