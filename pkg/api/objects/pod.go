// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Pod is what is kept of a running pod. It is immutable.
type Pod struct {
	Namespace, Name string
	// Labels is shared by all pods with equal labels.
	Labels wire.Labels
	// Owner is the controller that the pod belongs to; nil where it has none, or
	// owners are not kept (Fields.PodOwners). Shared by all pods of it.
	Owner *Owner
	// Node is spec.nodeName: the only node whose word on this pod counts.
	Node string
	// Started is status.startTime, by the clock of the pod's node.
	Started storage.Millis
	// Restarts is how often its containers have been restarted; 0 where that is not
	// kept (Fields.PodResources).
	Restarts uint32
	// Terminating says that the pod is being deleted: it runs, but not for long.
	Terminating bool
	// HostNetwork says that the pod has no network of its own.
	HostNetwork bool
	// Containers is never nil; shared by all pods with equal containers.
	Containers *Containers
	// held is the pod's place, and node what the store remembers its node by; both are
	// nil where it is not in Pods.
	held *heldPod
	node *storage.NodePlace
}

// Owner is the controller of a pod. It is immutable.
type Owner struct {
	Kind, Name string
}

// ownerOf is the controller among a pod's owners; nil is none.
func ownerOf(references []metav1.OwnerReference) *Owner {
	for i := range references {
		if r := &references[i]; r.Controller != nil && *r.Controller {
			return &Owner{Kind: r.Kind, Name: r.Name}
		}
	}
	return nil
}

// Containers is what is kept of the containers of a pod. It is immutable.
type Containers struct {
	// Statuses has the containers, sidecars and ephemeral containers that the
	// pod's status mentions.
	Statuses []storage.ContainerStatus
	// Resources is what they request together and are limited to; zero where that is
	// not kept (Fields.PodResources).
	Resources Resources
}

// Query names the pod to the store.
func (p *Pod) Query() storage.PodQuery {
	var query storage.PodQuery
	p.QueryInto(&query)
	return query
}

// QueryInto is Query for who asks for many pods, one after the other: it is put into
// query, whatever was there.
func (p *Pod) QueryInto(query *storage.PodQuery) {
	query.Node, query.Namespace, query.Name = p.Node, p.Namespace, p.Name
	query.Started, query.Containers = p.Started, p.Containers.Statuses
	query.Known, query.Place, query.NodePlace = nil, nil, p.node
	if p.held != nil {
		query.Known, query.Place = p.held, &p.held.place
	}
}

// HasRunning is whether a container of the pod runs.
func (p *Pod) HasRunning() bool {
	return slices.ContainsFunc(p.Containers.Statuses, func(c storage.ContainerStatus) bool { return c.Running })
}

// GetObjectMeta lets client-go's temporary store, through which a reflector's
// first list goes, find the key of a pod that was trimmed on its way in.
func (p *Pod) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}
}

// trimPod is what is kept of obj, a *corev1.Pod or a *Pod.
func trimPod(obj any) (*Pod, error) {
	switch object := obj.(type) {
	case *Pod:
		return object, nil
	case *corev1.Pod:
		pod := &Pod{
			Namespace:   object.Namespace,
			Name:        object.Name,
			Labels:      wire.LabelsOf(object.Labels),
			Owner:       ownerOf(object.OwnerReferences),
			Node:        object.Spec.NodeName,
			Restarts:    restartsOf(object),
			Terminating: object.DeletionTimestamp != nil,
			HostNetwork: object.Spec.HostNetwork,
			Containers:  &Containers{Statuses: containerStatuses(&object.Status), Resources: resourcesOf(&object.Spec)},
		}
		if object.Status.StartTime != nil {
			pod.Started = storage.MillisOf(object.Status.StartTime.Time)
		}
		return pod, nil
	case cache.DeletedFinalStateUnknown:
		return trimPod(object.Obj)
	default:
		return nil, fmt.Errorf("take in pod: unexpected type %T", obj)
	}
}

// containerStatuses is the state of every container that the kubelet may run
// beside others in a running pod. An init container that is not a sidecar has
// terminated before the pod runs, and its status says so.
func containerStatuses(status *corev1.PodStatus) []storage.ContainerStatus {
	lists := [...][]corev1.ContainerStatus{status.InitContainerStatuses, status.ContainerStatuses, status.EphemeralContainerStatuses}
	list := make([]storage.ContainerStatus, 0, len(lists[0])+len(lists[1])+len(lists[2]))
	for _, statuses := range lists {
		for i := range statuses {
			list = append(list, storage.ContainerStatus{Name: statuses[i].Name, Running: statuses[i].State.Running != nil})
		}
	}
	return slices.Clip(list)
}
