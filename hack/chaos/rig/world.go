// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster/clustertest"
)

// worldLabel is the label of a node that says which world it is of.
const worldLabel = "chaos/world"

// workers is how many requests a world makes to kube-apiserver at once.
const workers = 16

// World is the nodes and pods of one experiment.
type World struct {
	*Site
	// Name is the value of the nodes' label, and Namespace where the pods are.
	Name, Namespace string

	mu struct {
		sync.Mutex
		nodes   []*Node
		servers int
	}
}

// World makes an empty world that ends with the test.
func (s *Site) World(t testing.TB, name string) *World {
	t.Helper()
	w := &World{Site: s, Name: name, Namespace: "chaos-" + name}
	s.Namespace(t, w.Namespace)
	t.Cleanup(func() { w.end(context.WithoutCancel(t.Context())) })
	return w
}

// Namespace makes a namespace in which pods can be created.
func (s *Site) Namespace(t testing.TB, name string) {
	t.Helper()
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := s.Client.CoreV1().Namespaces().Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	clustertest.Eventually(t, time.Minute, "the service account of "+name, func(ctx context.Context) error {
		_, err := s.Client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// end deletes the world's objects and its kubelets.
func (w *World) end(ctx context.Context) {
	now := int64(0)
	for _, err := range []error{
		w.Client.CoreV1().Pods(w.Namespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{}),
		w.Client.CoreV1().Nodes().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: worldLabel + "=" + w.Name}),
	} {
		if err != nil {
			w.t.Logf("end world %s: %v", w.Name, err)
		}
	}
	for _, node := range w.Nodes() {
		node.Stop()
		w.Site.mu.Lock()
		delete(w.Site.mu.nodes, node.Name)
		w.Site.mu.Unlock()
	}
}

// Nodes are the world's nodes in the order in which they were added.
func (w *World) Nodes() []*Node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.mu.nodes)
}

// AddNodes adds n nodes with that many pods of two containers each, and waits
// until the pods run.
func (w *World) AddNodes(t testing.TB, n, pods int) []*Node {
	t.Helper()
	first := len(w.Nodes())
	added := make([]*Node, n)
	for i := range added {
		added[i] = w.startKubelet(fmt.Sprintf("%s-%04d", w.Name, first+i))
	}
	w.mu.Lock()
	w.mu.nodes = append(w.mu.nodes, added...)
	w.mu.Unlock()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(workers)
	for _, node := range added {
		group.Go(func() error { return w.CreateNode(ctx, node.Name, node) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	w.AddPods(t, added, pods)
	return added
}

// AddPods adds that many pods of two containers to each of some new nodes, and
// waits until they run.
func (w *World) AddPods(t testing.TB, nodes []*Node, pods int) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(workers)
	for i, node := range nodes {
		group.Go(func() error {
			for p := range pods {
				cpu := resource.NewMilliQuantity(int64(10*(1+(7*i+3*p)%40)), resource.DecimalSI)
				memory := resource.NewQuantity(int64(16+(5*i+p)%200)<<20, resource.BinarySI)
				if err := w.CreatePod(ctx, fmt.Sprintf("%s-%d", node.Name, p), node.Name, cpu.String(), memory.String()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	clustertest.Eventually(t, 3*time.Minute, fmt.Sprintf("%d pods run", len(nodes)*pods), func(context.Context) error {
		running := 0
		for _, node := range nodes {
			running += len(node.Pods())
		}
		if running != len(nodes)*pods {
			return fmt.Errorf("%d of %d run", running, len(nodes)*pods)
		}
		return nil
	})
}

// CreateNode makes a Node object whose kubelet is that of node; several objects
// may share one.
func (w *World) CreateNode(ctx context.Context, name string, node *Node) error {
	capacity := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("32"), corev1.ResourceMemory: resource.MustParse("256Gi"), corev1.ResourcePods: resource.MustParse("500"),
	}
	_, err := w.Client.CoreV1().Nodes().Create(ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{worldLabel: w.Name, "kubernetes.io/hostname": name}},
		Status: corev1.NodeStatus{
			Capacity: capacity, Allocatable: capacity,
			Conditions:      []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Simulated", LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now()}},
			Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: node.Host}},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(node.Port)}},
		},
	}, metav1.CreateOptions{})
	return err
}

// DeleteNode deletes a Node object. Its kubelet stays.
func (w *World) DeleteNode(ctx context.Context, name string) error {
	return w.Client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{})
}

// CreatePod makes a pod of two containers on a node; each uses that much.
func (w *World) CreatePod(ctx context.Context, name, node, cpu, memory string) error {
	_, err := w.Client.CoreV1().Pods(w.Namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{clustertest.CPUAnnotation: cpu, clustertest.MemoryAnnotation: memory}, Labels: map[string]string{"app": "chaos"}},
		Spec: corev1.PodSpec{
			NodeName: node, TerminationGracePeriodSeconds: new(int64), Containers: []corev1.Container{{Name: "main", Image: "none"}, {Name: "side", Image: "none"}},
		},
	}, metav1.CreateOptions{})
	return err
}

// DeletePod deletes a pod at once.
func (w *World) DeletePod(ctx context.Context, name string) error {
	now := int64(0)
	err := w.Client.CoreV1().Pods(w.Namespace).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// RunningPods is how many pods the world's kubelets run.
func (w *World) RunningPods() int {
	names := map[string]bool{}
	for _, node := range w.Nodes() {
		for key := range maps.Keys(node.Pods()) {
			names[key] = true
		}
	}
	return len(names)
}
