// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
)

// runningPod is a running pod whose containers run, too.
func runningPod(namespace, name, node string, labels map[string]string, containers ...string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: maps.Clone(labels)},
		Spec:       corev1.PodSpec{NodeName: node},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	for _, c := range containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{Name: c, State: running()})
	}
	return pod
}

func running() corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
}

func waiting() corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
}

func terminated() corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 0}}
}

func someNode(name string, labels map[string]string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

// must fails the test where an operation on a store did.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// podKeys is the pods of a namespace, "namespace/name", in the order given.
func podKeys(pods *Pods, namespace string) []string {
	keys := []string{}
	for _, pod := range slices.Collect(pods.All(namespace)) {
		keys = append(keys, pod.Namespace+"/"+pod.Name)
	}
	return keys
}

// wantPods checks the order and content of the list of a namespace.
func wantPods(t *testing.T, pods *Pods, namespace string, want ...string) {
	t.Helper()
	if got := podKeys(pods, namespace); !slices.Equal(got, want) {
		t.Errorf("pods of %q: %q, want %q", namespace, got, want)
	}
}

func wantNodes(t *testing.T, nodes *Nodes, want ...string) {
	t.Helper()
	list, labels := nodes.Labelled()
	got := []string{}
	for i, node := range list {
		got = append(got, node.Name)
		if labels[i] != wire.LabelsOf(node.Labels) {
			t.Errorf("node %s has labels %q, want %v", node.Name, labels[i], node.Labels)
		}
	}
	if !slices.Equal(got, want) || len(labels) != len(list) {
		t.Errorf("nodes %q, want %q", got, want)
	}
}

// checkPods checks what must hold between any two operations.
func checkPods(t *testing.T, pods *Pods) {
	t.Helper()
	pods.mu.RLock()
	defer pods.mu.RUnlock()
	count := 0
	for name, ns := range pods.mu.namespaces {
		if len(ns.pods) == 0 {
			t.Errorf("namespace %s is held and empty", name)
		}
		count += len(ns.pods)
		if !ns.dirty && len(ns.sorted) != len(ns.pods) {
			t.Errorf("namespace %s: %d sorted of %d", name, len(ns.sorted), len(ns.pods))
		}
		for _, held := range ns.pods {
			pod := held.pod.Load()
			if pod.Namespace != name || ns.pods[pod.Name] != held {
				t.Errorf("%s/%s is held as another", pod.Namespace, pod.Name)
			}
		}
	}
	if count != pods.mu.count {
		t.Errorf("%d pods, counted %d", count, pods.mu.count)
	}
	shared := &pods.mu.shared
	checkHolders(t, "labels", &shared.labels, count)
	checkHolders(t, "containers", &shared.containers, count)
	checkHolders(t, "namespaces", &shared.namespaces, count)
	checkHolders(t, "nodes", &shared.nodes, count)
}

// checkHolders checks that every holding has its holder, and nothing unheld is
// kept.
func checkHolders[V any](t *testing.T, what string, i *interner[V], want int) {
	t.Helper()
	holders := 0
	for key, shared := range i.byKey {
		if shared.holders <= 0 || shared.key != key {
			t.Errorf("%s: %q is held by %d", what, key, shared.holders)
		}
		holders += shared.holders
	}
	if holders != want {
		t.Errorf("%s: %d holders, want %d", what, holders, want)
	}
}
