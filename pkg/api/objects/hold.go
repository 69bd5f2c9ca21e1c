// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
)

// heldPod is the place of one pod: the pod in it is replaced as a whole, so
// that sorted slices of places stay true while pods change.
type heldPod struct {
	pod    atomic.Pointer[Pod]
	shared sharedParts
	// gone says that the pod was removed, and only its place in
	// namespace.sorted is left of it.
	gone bool
}

// sharedParts is what a pod has in common with others: one holding of each.
type sharedParts struct {
	labels          *interned[wire.Labels]
	containers      *interned[*Containers]
	node, namespace *interned[string]
}

// partInterners holds the shared parts of all pods.
type partInterners struct {
	labels     interner[wire.Labels]
	containers interner[*Containers]
	strings    interner[string]
}

// hold puts pod into place with its parts shared, and gives back the parts of
// the pod that was there.
func (i *partInterners) hold(place *heldPod, pod *Pod) {
	before := place.shared
	place.shared = sharedParts{
		labels:     i.labels.intern(string(pod.Labels), pod.Labels),
		containers: i.containers.intern(containersKey(pod.Containers), pod.Containers),
		node:       i.strings.intern(pod.Node, pod.Node),
		namespace:  i.strings.intern(pod.Namespace, pod.Namespace),
	}
	place.pod.Store(&Pod{
		Namespace:   place.shared.namespace.value,
		Name:        pod.Name,
		Labels:      place.shared.labels.value,
		Node:        place.shared.node.value,
		Started:     pod.Started,
		Restarts:    pod.Restarts,
		Terminating: pod.Terminating,
		HostNetwork: pod.HostNetwork,
		Containers:  place.shared.containers.value,
	})
	i.release(before)
}

func (i *partInterners) release(s sharedParts) {
	i.labels.release(s.labels)
	i.containers.release(s.containers)
	i.strings.release(s.node)
	i.strings.release(s.namespace)
}

// containersKey is the same for equal containers only: no name holds a control
// character, and numbers end what they begin.
func containersKey(containers *Containers) string {
	var key []byte
	for _, c := range containers.Statuses {
		key = append(key, c.Name...)
		if c.Running {
			key = append(key, 1)
		} else {
			key = append(key, 0)
		}
	}
	if r := containers.Resources; r != (Resources{}) {
		key = append(key, 2)
		for _, amount := range [...]int64{r.CPURequest, r.CPULimit, r.MemoryRequest, r.MemoryLimit} {
			key = binary.AppendVarint(key, amount)
		}
	}
	return string(key)
}
