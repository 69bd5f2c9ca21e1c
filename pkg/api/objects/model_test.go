// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// TestPodsModel plays random operations against the store and a plain map.
func TestPodsModel(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			pods := NewPods()
			model := map[string]*corev1.Pod{}
			for range 300 {
				step(t, random, pods, model)
				if t.Failed() {
					return
				}
			}
			must(t, pods.Replace(nil, ""))
			checkPods(t, pods)
			shared := &pods.mu.shared
			if n := len(shared.labels.byKey) + len(shared.containers.byKey) + len(shared.namespaces.byKey) + len(shared.nodes.byKey) + len(shared.owners.byKey); n != 0 {
				t.Errorf("%d shared parts are left", n)
			}
		})
	}
}

// step does one random operation to both and compares them.
func step(t *testing.T, random *rand.Rand, pods *Pods, model map[string]*corev1.Pod) {
	t.Helper()
	pod := randomPod(random)
	key := pod.Namespace + "/" + pod.Name
	switch random.IntN(12) {
	case 0, 1, 2:
		must(t, pods.Add(pod))
		model[key] = pod
	case 3, 4, 5:
		must(t, pods.Update(pod))
		model[key] = pod
	case 6, 7:
		must(t, pods.Delete(pod))
		delete(model, key)
	case 8:
		must(t, pods.Delete(cache.DeletedFinalStateUnknown{Key: key, Obj: pod}))
		delete(model, key)
	case 9:
		clear(model)
		list := []any{}
		for range random.IntN(20) {
			listed := randomPod(random)
			// A list through client-go's temporary store has trimmed pods, and no
			// list has the same pod twice.
			key := listed.Namespace + "/" + listed.Name
			if model[key] != nil {
				continue
			}
			model[key] = listed
			if random.IntN(2) == 0 {
				list = append(list, listed)
				continue
			}
			small, err := pods.Transformer()(listed)
			must(t, err)
			list = append(list, small)
		}
		must(t, pods.Replace(list, ""))
	default:
		// Reads of one namespace leave the others unsorted.
		compareLists(t, pods, model, pod.Namespace)
	}
	got, ok := pods.Get(pod.Namespace, pod.Name)
	if want := model[key]; ok != (want != nil) || ok && !samePod(got, want) {
		t.Errorf("%s: %+v, want %+v", key, got, want)
	}
	if random.IntN(4) == 0 {
		compareLists(t, pods, model, "")
	}
	if pods.Len() != len(model) {
		t.Errorf("%d pods, want %d", pods.Len(), len(model))
	}
	checkPods(t, pods)
}

func compareLists(t *testing.T, pods *Pods, model map[string]*corev1.Pod, namespace string) {
	t.Helper()
	want := []*corev1.Pod{}
	for _, pod := range model {
		if namespace == "" || pod.Namespace == namespace {
			want = append(want, pod)
		}
	}
	slices.SortFunc(want, func(a, b *corev1.Pod) int {
		return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
	})
	got := slices.Collect(pods.All(namespace))
	if len(got) != len(want) {
		t.Errorf("%d pods of %q, want %d", len(got), namespace, len(want))
		return
	}
	for i := range got {
		if !samePod(got[i], want[i]) {
			t.Errorf("pod %d of %q: %+v, want %+v", i, namespace, got[i], want[i])
		}
	}
}

func samePod(got *Pod, want *corev1.Pod) bool {
	if got.Namespace != want.Namespace || got.Name != want.Name || got.Node != want.Spec.NodeName || !maps.Equal(got.Labels.Set(), want.Labels) {
		return false
	}
	if owner := ownerOf(want.OwnerReferences); (got.Owner == nil) != (owner == nil) || owner != nil && *got.Owner != *owner {
		return false
	}
	if len(got.Containers.Statuses) != len(want.Status.ContainerStatuses) {
		return false
	}
	for i, c := range want.Status.ContainerStatuses {
		if got.Containers.Statuses[i].Name != c.Name || got.Containers.Statuses[i].Running != (c.State.Running != nil) {
			return false
		}
	}
	return true
}

// randomPod is one of few pods, with few different labels, nodes and containers,
// so that they meet often.
func randomPod(random *rand.Rand) *corev1.Pod {
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	labels := map[string]string{}
	for range random.IntN(3) {
		labels[pick("a", "b", "ab")] = pick("", "a", "b")
	}
	pod := runningPod(pick("x", "x-y", "z"), pick("0", "1", "10", "2", "a", "b"), pick("", "n1", "n2"), labels)
	if random.IntN(3) > 0 {
		pod.OwnerReferences = []metav1.OwnerReference{
			{Kind: "Other", Name: "of no interest"},
			{Kind: pick("ReplicaSet", "Job"), Name: pick("a", "b"), Controller: new(true)},
		}
	}
	for range random.IntN(3) {
		status := corev1.ContainerStatus{Name: pick("c", "d")}
		if random.IntN(2) == 0 {
			status.State = running()
		}
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, status)
	}
	return pod
}
