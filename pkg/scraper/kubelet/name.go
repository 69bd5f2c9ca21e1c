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
	pod = &pods[i]
	for row = pod.First; row < pod.End; row++ {
		if layout.Containers[row] == string(name.container) {
			return pod, row
		}
	}
	return pod, -1
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
