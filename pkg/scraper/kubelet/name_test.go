// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"fmt"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestFindRow: each container is found at its row, whatever the number of pods and of
// their containers, and what is not there is not.
func TestFindRow(t *testing.T) {
	for _, containers := range []int{1, 2, 3, 100} {
		var keys []storage.ContainerKey
		for pod := range 5 {
			for c := range containers {
				keys = append(keys, storage.ContainerKey{Namespace: "ns", Pod: fmt.Sprint("pod-", pod), Container: fmt.Sprint("c", c)})
			}
		}
		layout, rows := storage.NewLayout(keys)
		for i, key := range keys {
			pod, row := findRow(layout, nameOf(key))
			if pod == nil || pod.Name != key.Pod || row != rows[i] {
				t.Errorf("%v is at row %d, want %d", key, row, rows[i])
			}
		}
		for _, absent := range []string{"", "a", "c", "c00", "z"} {
			if pod, row := findRow(layout, nameOf(storage.ContainerKey{Namespace: "ns", Pod: "pod-2", Container: absent})); pod == nil || row != -1 {
				t.Errorf("container %q is at row %d", absent, row)
			}
			if pod, row := findRow(layout, nameOf(storage.ContainerKey{Namespace: "ns", Pod: absent, Container: "c0"})); pod != nil || row != -1 {
				t.Errorf("pod %q is at row %d", absent, row)
			}
		}
	}
	if pod, row := findRow(nil, containerName{}); pod != nil || row != -1 {
		t.Error("something is found in no layout")
	}
}

func nameOf(key storage.ContainerKey) containerName {
	return containerName{[]byte(key.Namespace), []byte(key.Pod), []byte(key.Container)}
}
