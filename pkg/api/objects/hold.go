// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"encoding/binary"
	"strings"
	"sync/atomic"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// heldPod is the place of one pod: the pod in it is replaced as a whole, so
// that sorted slices of places stay true while pods change. It is what the store
// of usage knows the pod by. Another pod of the same name has another place, unless
// nobody has seen the first one go; what was sampled before it started is not its own.
type heldPod struct {
	pod atomic.Pointer[Pod]
	// What the pod has in common with others, one holding of each. Containers are
	// read without the lock that keeps their holders: by the way over pod they would
	// be two lines of memory away instead of one.
	containers atomic.Pointer[interned[*Containers]]
	node       *interned[*storage.NodePlace]
	labels     *interned[wire.Labels]
	namespace  *interned[string]
	owner      *interned[*Owner] // nil where none is kept
	// gone says that the pod was removed: only its place in namespace.sorted is
	// left of it, and in the store of usage.
	gone  atomic.Bool
	place storage.PodPlace
}

var _ storage.KnownPod = (*heldPod)(nil)

// Statuses is storage.KnownPod's.
func (h *heldPod) Statuses() (containers []storage.ContainerStatus, known bool) {
	if h.gone.Load() {
		return nil, false
	}
	return h.containers.Load().value.Statuses, true
}

// Place is storage.KnownPod's.
func (h *heldPod) Place() *storage.PodPlace { return &h.place }

// sharedParts is what a pod has in common with others.
type sharedParts struct {
	containers *interned[*Containers]
	node       *interned[*storage.NodePlace]
	labels     *interned[wire.Labels]
	namespace  *interned[string]
	owner      *interned[*Owner]
}

// shared is the parts that the pod holds.
func (h *heldPod) shared() sharedParts {
	return sharedParts{h.containers.Load(), h.node, h.labels, h.namespace, h.owner}
}

// partInterners holds the shared parts of all pods.
type partInterners struct {
	labels     interner[wire.Labels]
	containers interner[*Containers]
	namespaces interner[string]
	nodes      interner[*storage.NodePlace]
	owners     interner[*Owner]
}

// hold puts pod into place with its parts shared, and gives back the parts of
// the pod that was there.
func (i *partInterners) hold(place *heldPod, pod *Pod) {
	before := place.shared()
	name := ""
	if was := place.pod.Load(); was != nil {
		name = was.Name
	} else {
		// A copy, near the copies before and after it: what was decoded lies
		// among all that is not kept.
		name = strings.Clone(pod.Name)
	}
	containers := i.containers.intern(containersKey(pod.Containers), pod.Containers)
	node := i.nodes.intern(pod.Node, nil)
	if node.value == nil { // nobody else holds it yet
		node.value = &storage.NodePlace{}
	}
	place.labels = i.labels.intern(string(pod.Labels), pod.Labels)
	place.namespace = i.namespaces.intern(pod.Namespace, pod.Namespace)
	place.owner = nil
	var owner *Owner
	if pod.Owner != nil {
		place.owner = i.owners.intern(pod.Owner.Kind+"\x00"+pod.Owner.Name, pod.Owner)
		owner = place.owner.value
	}
	place.containers.Store(containers)
	place.node = node
	place.pod.Store(&Pod{
		Namespace:   place.namespace.value,
		Name:        name,
		Labels:      place.labels.value,
		Owner:       owner,
		Node:        node.key,
		Started:     pod.Started,
		Restarts:    pod.Restarts,
		Terminating: pod.Terminating,
		HostNetwork: pod.HostNetwork,
		Containers:  containers.value,
		held:        place,
		node:        node.value,
	})
	i.release(before)
}

// release gives back parts; nil ones are none.
func (i *partInterners) release(s sharedParts) {
	i.labels.release(s.labels)
	i.containers.release(s.containers)
	i.namespaces.release(s.namespace)
	i.nodes.release(s.node)
	i.owners.release(s.owner)
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
