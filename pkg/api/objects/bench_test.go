// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The scenario of the benchmarks: a cluster of 30,000 pods in 100 namespaces, of
// 300 workloads, on 1,000 nodes; four labels and two containers each.
const (
	crowdPods       = 30_000
	crowdNamespaces = 100
	crowdWorkloads  = 300
	crowdNodes      = 1_000
)

// crowdPod is the i-th pod, with every string allocated as decoding does. Where
// own is true it has a label that no other has, as a StatefulSet's pods do.
func crowdPod(i int, own bool) *corev1.Pod {
	workload := i % crowdWorkloads
	// Deployments name their pods by the workload, a hash and five characters.
	name := fmt.Sprintf("workload-%d-6d4b75cb6d-%05d", workload, i)
	labels := map[string]string{
		"app.kubernetes.io/name":     fmt.Sprintf("workload-%d", workload),
		"app.kubernetes.io/part-of":  fmt.Sprintf("system-%d", workload%10),
		"app.kubernetes.io/instance": fmt.Sprintf("instance-%d", workload),
		"pod-template-hash":          fmt.Sprintf("6d4b75cb%02d", workload%100),
	}
	if own {
		labels["statefulset.kubernetes.io/pod-name"] = name
	}
	pod := runningPod(fmt.Sprintf("namespace-%d", workload%crowdNamespaces), name, fmt.Sprintf("node-%d.example", i%crowdNodes), labels,
		string([]byte("server")), string([]byte("sidecar")))
	pod.Spec.Containers = []corev1.Container{
		{Name: "server", Resources: needs("250m", strconv.Itoa(128+workload%20*32)+"Mi")},
		{Name: "sidecar", Resources: needs("50m", "64Mi")},
	}
	pod.Status.StartTime = &metav1.Time{Time: metav1.Unix(1_767_323_045+int64(i), 0).Time}
	return pod
}

func crowd(b *testing.B, own bool) *Pods {
	b.Helper()
	pods := NewPods()
	for i := range crowdPods {
		must(b, pods.Add(crowdPod(i, own)))
	}
	return pods
}

// BenchmarkPodMemory is the heap that a pod costs.
func BenchmarkPodMemory(b *testing.B) {
	for name, own := range map[string]bool{"deployments": false, "statefulsets": true} {
		b.Run(name, func(b *testing.B) {
			var cost float64
			for b.Loop() {
				before := heap()
				pods := crowd(b, own)
				for range pods.All("") { // the sorted slices count, too
				}
				cost = float64(heap()-before) / crowdPods
				runtime.KeepAlive(pods)
			}
			b.ReportMetric(cost, "B/pod")
		})
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// BenchmarkPodList lists all pods while none comes or goes, as the VPA does.
func BenchmarkPodList(b *testing.B) {
	pods := crowd(b, false)
	var list []*Pod
	b.ReportAllocs()
	for b.Loop() {
		list = slices.Collect(pods.All(""))
	}
	if len(list) != crowdPods {
		b.Fatalf("%d pods", len(list))
	}
}

// BenchmarkPodUpdate takes in a change of a pod's status.
func BenchmarkPodUpdate(b *testing.B) {
	pods := crowd(b, false)
	changes := make([]*corev1.Pod, 1024)
	for i := range changes {
		changes[i] = crowdPod(i, false)
		changes[i].Status.ContainerStatuses[1].State = waiting()
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		must(b, pods.Update(changes[i%len(changes)]))
		i++
	}
}

// BenchmarkPodListAfterChurn lists after a pod has come and another has gone,
// which sorts one namespace anew: of 300 pods, or of all.
func BenchmarkPodListAfterChurn(b *testing.B) {
	for _, namespaces := range []int{crowdNamespaces, 1} {
		b.Run("namespaces="+strconv.Itoa(namespaces), func(b *testing.B) {
			pods := NewPods()
			made := make([]*corev1.Pod, crowdPods)
			for i := range made {
				made[i] = crowdPod(i, false)
				if namespaces == 1 {
					made[i].Namespace = "all"
				}
				must(b, pods.Add(made[i]))
			}
			var list []*Pod
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				must(b, pods.Delete(made[i%crowdPods]))
				must(b, pods.Add(made[i%crowdPods]))
				list = slices.AppendSeq(list[:0], pods.All(""))
				i++
			}
			if len(list) != crowdPods {
				b.Fatalf("%d pods", len(list))
			}
		})
	}
}
