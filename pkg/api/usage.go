// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// resourceSwap is the usage key that kubectl top --show-swap reads.
const resourceSwap corev1.ResourceName = "swap"

// resourceList is usage as quantities: CPU in decimal nanocores, memory and swap
// in binary bytes, as metrics-server serves them.
func resourceList(usage *storage.ContainerUsage) corev1.ResourceList {
	list := make(corev1.ResourceList, 3)
	list[corev1.ResourceCPU] = *resource.NewScaledQuantity(signed(usage.CPU), resource.Nano)
	list[corev1.ResourceMemory] = *resource.NewQuantity(signed(usage.Memory), resource.BinarySI)
	if usage.HasSwap {
		list[resourceSwap] = *resource.NewQuantity(signed(usage.Swap), resource.BinarySI)
	}
	return list
}

// signed is v as an int64; the store holds nothing that overflows one, and what
// is served must not turn negative whatever happens.
func signed(v uint64) int64 { return int64(min(v, math.MaxInt64)) }

// addUsage adds what is in usage to sum.
func addUsage(sum, usage corev1.ResourceList) {
	for name, quantity := range usage {
		total := sum[name]
		total.Add(quantity)
		sum[name] = total
	}
}
