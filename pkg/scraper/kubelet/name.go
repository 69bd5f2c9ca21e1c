// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"sort"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// containerName is a storage.ContainerKey of bytes that belong to a body.
type containerName struct {
	namespace, pod, container []byte
}

// findRow is the container's row in layout, which may be nil, or -1 where it is
// not there; pod is its pod in it, or nil. It allocates nothing.
func findRow(layout *storage.Layout, name containerName) (pod *storage.PodRows, row int32) {
	if layout == nil {
		return nil, -1
	}
	pods := layout.Pods
	i := sort.Search(len(pods), func(i int) bool {
		if order := compare(pods[i].Namespace, name.namespace); order != 0 {
			return order > 0
		}
		return compare(pods[i].Name, name.pod) >= 0
	})
	if i == len(pods) || pods[i].Namespace != string(name.namespace) || pods[i].Name != string(name.pod) {
		return nil, -1
	}
	return &pods[i], findContainer(layout, &pods[i], name.container)
}

// findContainer is the row of a pod's container in layout, or -1. A stranger decides how
// many containers a pod has, so they are not gone through one by one.
func findContainer(layout *storage.Layout, pod *storage.PodRows, container []byte) int32 {
	names := layout.Containers[pod.First:pod.End]
	i := sort.Search(len(names), func(i int) bool { return compare(names[i], container) >= 0 })
	if i == len(names) || names[i] != string(container) {
		return -1
	}
	return pod.First + int32(i)
}

// compare orders a string and bytes without making one of the other.
func compare(a string, b []byte) int {
	switch {
	case a < string(b):
		return -1
	case a > string(b):
		return 1
	default:
		return 0
	}
}
