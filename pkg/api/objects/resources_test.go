// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"math"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// needs is what a container requests ("" is nothing) and half of what it is
// limited to.
func needs(cpu, memory string) corev1.ResourceRequirements {
	r := corev1.ResourceRequirements{Requests: corev1.ResourceList{}, Limits: corev1.ResourceList{}}
	for name, text := range map[corev1.ResourceName]string{corev1.ResourceCPU: cpu, corev1.ResourceMemory: memory} {
		if text == "" {
			continue
		}
		request := resource.MustParse(text)
		limit := request.DeepCopy()
		limit.Add(request)
		r.Requests[name], r.Limits[name] = request, limit
	}
	return r
}

func TestResources(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	setup := corev1.Container{Resources: needs("8", "8Gi")}
	sidecar := corev1.Container{RestartPolicy: &always, Resources: needs("250m", "1Ki")}
	web := corev1.Container{Resources: needs("1", "1Mi")}
	bare := corev1.Container{}
	halfBare := corev1.Container{Resources: needs("1", "")}
	zero := corev1.Container{Resources: needs("0", "0")}
	huge := corev1.Container{Resources: needs("9223372036854775807m", "4Ei")}
	whole := needs("3", "")
	for name, c := range map[string]struct {
		spec corev1.PodSpec
		want Resources
	}{
		"none":           {corev1.PodSpec{}, Resources{}},
		"one":            {corev1.PodSpec{Containers: []corev1.Container{web}}, Resources{1000, 2000, 1 << 20, 2 << 20}},
		"sum":            {corev1.PodSpec{Containers: []corev1.Container{web, web}}, Resources{2000, 4000, 2 << 20, 4 << 20}},
		"sidecar":        {corev1.PodSpec{InitContainers: []corev1.Container{setup, sidecar}, Containers: []corev1.Container{web}}, Resources{1250, 2500, 1<<20 + 1024, 2<<20 + 2048}},
		"one lacks all":  {corev1.PodSpec{Containers: []corev1.Container{web, bare}}, Resources{}},
		"sidecar lacks":  {corev1.PodSpec{InitContainers: []corev1.Container{{RestartPolicy: &always}}, Containers: []corev1.Container{web}}, Resources{}},
		"setup lacks":    {corev1.PodSpec{InitContainers: []corev1.Container{bare}, Containers: []corev1.Container{web}}, Resources{1000, 2000, 1 << 20, 2 << 20}},
		"one lacks some": {corev1.PodSpec{Containers: []corev1.Container{web, halfBare}}, Resources{CPURequest: 2000, CPULimit: 4000}},
		"zero":           {corev1.PodSpec{Containers: []corev1.Container{web, zero}}, Resources{}},
		"overflow":       {corev1.PodSpec{Containers: []corev1.Container{huge, huge, huge}}, Resources{}},
		"pod level":      {corev1.PodSpec{Resources: &whole, Containers: []corev1.Container{web, bare}}, Resources{CPURequest: 3000, CPULimit: 6000}},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: c.spec}
			trimmed, err := trimPod(pod)
			must(t, err)
			if got := trimmed.Containers.Resources; got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestRestarts(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	now := metav1.Now()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &now},
		Spec:       corev1.PodSpec{HostNetwork: true, InitContainers: []corev1.Container{{Name: "setup"}, {Name: "proxy", RestartPolicy: &always}}},
		Status: corev1.PodStatus{
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "setup", RestartCount: 100}, {Name: "proxy", RestartCount: 10}, {Name: "unknown", RestartCount: 1000}},
			ContainerStatuses:     []corev1.ContainerStatus{{Name: "web", RestartCount: 1}, {Name: "other", RestartCount: 2}, {Name: "broken", RestartCount: -5}},
		},
	}
	pods := NewPods()
	must(t, pods.Add(pod))
	if held, _ := pods.Get("", ""); held.Restarts != 13 || !held.Terminating || !held.HostNetwork {
		t.Errorf("%+v", held)
	}
	for range 3 {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{RestartCount: math.MaxInt32})
	}
	if got := restartsOf(pod); got != math.MaxUint32 {
		t.Errorf("%d restarts", got)
	}
}

// TestResourcesAreShared: pods with equal resources hold them once, and others
// do not get theirs.
func TestResourcesAreShared(t *testing.T) {
	pods := NewPods()
	t.Cleanup(func() { checkPods(t, pods) })
	for name, cpu := range map[string]string{"1": "1", "2": "1", "3": "2"} {
		pod := runningPod("shop", name, "n", nil, "web")
		pod.Spec.Containers = []corev1.Container{{Name: "web", Resources: needs(cpu, "")}}
		must(t, pods.Add(pod))
	}
	one, _ := pods.Get("shop", "1")
	two, _ := pods.Get("shop", "2")
	three, _ := pods.Get("shop", "3")
	if one.Containers != two.Containers {
		t.Error("equal resources are held twice")
	}
	if one.Containers.Resources.CPURequest != 1000 || three.Containers.Resources.CPURequest != 2000 {
		t.Errorf("%+v, %+v", one.Containers, three.Containers)
	}
}
