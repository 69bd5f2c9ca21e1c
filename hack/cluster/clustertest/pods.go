// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package clustertest

import (
	"context"
	"hash/fnv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// The annotations of a pod that say what each of its containers uses: quantities,
// 0 where there is none.
const (
	CPUAnnotation    = "clustertest/cpu"
	MemoryAnnotation = "clustertest/memory"
	SwapAnnotation   = "clustertest/swap"
)

// runner plays the kubelets' other half.
type runner struct {
	client kubernetes.Interface
	// nodeNamed is the node of a name, or nil.
	nodeNamed func(name string) *Node
}

// RunPods runs the pods that are bound to nodes, and lets go of those that are
// deleted, until the test ends. nodeNamed is the node of a name, or nil for one that
// is none of these; it is called concurrently.
func RunPods(t testing.TB, client kubernetes.Interface, nodeNamed func(name string) *Node) {
	ctx, r := t.Context(), &runner{client: client, nodeNamed: nodeNamed}
	// Events of one pod stay in order: it always has the same worker.
	queues := make([]chan watch.Event, 8)
	ended := make(chan struct{}, len(queues)+1)
	for i := range queues {
		queues[i] = make(chan watch.Event, 1000)
		go func() {
			defer func() { ended <- struct{}{} }()
			for {
				select {
				case event := <-queues[i]:
					if pod, ok := event.Object.(*corev1.Pod); ok {
						r.run(ctx, pod, event.Type == watch.Deleted)
					}
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	go func() {
		defer func() { ended <- struct{}{} }()
		for ctx.Err() == nil {
			watcher, err := r.client.CoreV1().Pods("").Watch(ctx, metav1.ListOptions{})
			if err != nil {
				// kube-apiserver is away; a new watch begins with what is there.
				select {
				case <-ctx.Done():
				case <-time.After(200 * time.Millisecond):
				}
				continue
			}
			for event := range watcher.ResultChan() {
				pod, ok := event.Object.(*corev1.Pod)
				if !ok {
					continue
				}
				h := fnv.New32a()
				_, _ = h.Write([]byte(pod.Namespace + "/" + pod.Name))
				select {
				case queues[h.Sum32()%uint32(len(queues))] <- event:
				case <-ctx.Done():
				}
			}
		}
	}()
	t.Cleanup(func() {
		for range cap(ended) {
			<-ended
		}
	})
}

func (r *runner) run(ctx context.Context, pod *corev1.Pod, deleted bool) {
	node, key := r.nodeNamed(pod.Spec.NodeName), pod.Namespace+"/"+pod.Name
	if node == nil {
		return
	}
	switch {
	case deleted:
		node.Change(func(pods map[string]kubelettest.Pod) { delete(pods, key) })
	case pod.DeletionTimestamp != nil:
		now := int64(0)
		_ = r.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	case pod.Status.Phase == corev1.PodRunning:
		_, skew := node.clock()
		node.Change(func(pods map[string]kubelettest.Pod) {
			if _, ok := pods[key]; !ok {
				pods[key] = usageOfPod(pod, pod.Status.StartTime.Add(-skew))
			}
		})
	default:
		pod = pod.DeepCopy()
		at, _ := node.clock()
		now := metav1.NewTime(at)
		pod.Status.Phase, pod.Status.StartTime = corev1.PodRunning, &now
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now}}
		for _, container := range pod.Spec.Containers {
			pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
				Name: container.Name, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
			})
		}
		_, _ = r.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	}
}

// usageOfPod is what a pod uses that runs since started, by its annotations.
func usageOfPod(pod *corev1.Pod, started time.Time) kubelettest.Pod {
	quantity := func(annotation string, scale resource.Scale) uint64 {
		q, err := resource.ParseQuantity(pod.Annotations[annotation])
		if err != nil {
			return 0
		}
		return uint64(q.ScaledValue(scale))
	}
	usage := kubelettest.Pod{Namespace: pod.Namespace, Name: pod.Name}
	for _, container := range pod.Spec.Containers {
		usage.Containers = append(usage.Containers, kubelettest.Container{
			Name: container.Name, Started: started,
			CPU: quantity(CPUAnnotation, resource.Nano), Memory: quantity(MemoryAnnotation, 0), Swap: quantity(SwapAnnotation, 0),
		})
	}
	return usage
}
