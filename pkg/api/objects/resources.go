// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"math"

	corev1 "k8s.io/api/core/v1"
)

// Resources is what a pod requests and is limited to: what it says of itself as
// a whole, or else the sum over its containers and sidecars. A number is 0 where
// there is none, and also where one container has none, for then the pod's
// usage is no share of what the others have.
type Resources struct {
	// CPURequest and CPULimit are in thousandths of a core.
	CPURequest, CPULimit int64
	// MemoryRequest and MemoryLimit are in bytes.
	MemoryRequest, MemoryLimit int64
}

// resourcesOf is the resources of a pod. Containers that run before the pod
// does are not counted, nor are ephemeral ones, which cannot have any.
func resourcesOf(spec *corev1.PodSpec) Resources {
	var pod corev1.ResourceRequirements
	if spec.Resources != nil {
		pod = *spec.Resources
	}
	requests := func(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Requests }
	limits := func(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Limits }
	sum := func(list func(*corev1.ResourceRequirements) corev1.ResourceList, name corev1.ResourceName) int64 {
		if own := amount(list(&pod), name); own != 0 {
			return own
		}
		return sumOver(spec, func(c *corev1.Container) int64 { return amount(list(&c.Resources), name) })
	}
	return Resources{
		CPURequest:    sum(requests, corev1.ResourceCPU),
		CPULimit:      sum(limits, corev1.ResourceCPU),
		MemoryRequest: sum(requests, corev1.ResourceMemory),
		MemoryLimit:   sum(limits, corev1.ResourceMemory),
	}
}

// sumOver adds up of for all containers and sidecars; it is 0 where one of them
// has 0, and where the sum is beyond all measure.
func sumOver(spec *corev1.PodSpec, of func(*corev1.Container) int64) int64 {
	total := int64(0)
	add := func(c *corev1.Container) bool {
		one := of(c)
		if one == 0 || one > math.MaxInt64-total {
			return false
		}
		total += one
		return true
	}
	for i := range spec.InitContainers {
		if c := &spec.InitContainers[i]; isSidecar(c) && !add(c) {
			return 0
		}
	}
	for i := range spec.Containers {
		if !add(&spec.Containers[i]) {
			return 0
		}
	}
	return total
}

// amount is the CPU in thousandths of a core, the memory in bytes, that list has
// under name; 0 where it has none.
func amount(list corev1.ResourceList, name corev1.ResourceName) int64 {
	quantity, ok := list[name]
	if !ok {
		return 0
	}
	if name == corev1.ResourceCPU {
		return max(0, quantity.MilliValue())
	}
	return max(0, quantity.Value())
}

// isSidecar is whether an init container runs beside the others.
func isSidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// restartsOf is how often the pod's containers and sidecars have been restarted,
// as kubectl counts it for a running pod.
func restartsOf(pod *corev1.Pod) uint32 {
	total := int64(0)
	for i := range pod.Status.InitContainerStatuses {
		status := &pod.Status.InitContainerStatuses[i]
		for j := range pod.Spec.InitContainers {
			if c := &pod.Spec.InitContainers[j]; c.Name == status.Name && isSidecar(c) {
				total += max(0, int64(status.RestartCount))
			}
		}
	}
	for i := range pod.Status.ContainerStatuses {
		total += max(0, int64(pod.Status.ContainerStatuses[i].RestartCount))
	}
	return uint32(min(total, math.MaxUint32))
}
