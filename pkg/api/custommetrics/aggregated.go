// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"encoding/json"
	"sort"

	apidiscovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/discovery/aggregated"
)

// The bytes of JSON that a version may take in the aggregated document, which has
// at most 64 KiB with all others in it: every kubectl and every controller of a
// cluster fetches and keeps it. A version with more metrics lists only some, and
// its own document has them all.
const (
	customBytes   = 24 << 10
	externalBytes = 12 << 10
)

// room is what is left of a version's bytes.
type room int

// full is whether an ordinary metric may not fit any more.
func (r room) full() bool { return r < 512 }

// take takes the bytes of an element of a list, and some for what comes with it,
// if they are there.
func (r *room) take(element any, more int) bool {
	encoded, err := json.Marshal(element)
	if err != nil {
		panic("BUG: discovery has no JSON: " + err.Error())
	}
	size := room(len(encoded) + len(",") + more)
	if size > *r {
		return false
	}
	*r -= size
	return true
}

// aggregate puts a version into the aggregated document.
func aggregate(manager aggregated.ResourceManager, version schema.GroupVersion, resources []apidiscovery.APIResourceDiscovery) {
	manager.AddGroupVersion(version.Group, apidiscovery.APIVersionDiscovery{
		Version:   version.Version,
		Freshness: apidiscovery.DiscoveryFreshnessCurrent,
		Resources: resources,
	})
}

// aggregateCustom is what the aggregated document has of metrics about objects,
// given sorted entries: as many as there is room for, one of each resource in
// turn, so that none takes all of it. The group and version of a kind are left
// empty, which stands for those of the list.
func aggregateCustom(entries []entry, left room) []apidiscovery.APIResourceDiscovery {
	var resources []apidiscovery.APIResourceDiscovery
	var metrics [][]entry // parallel to resources: what is not yet looked at
	for start := 0; start < len(entries) && !left.full(); {
		name := entries[start].resource
		end := start + sort.Search(len(entries)-start, func(i int) bool { return entries[start+i].resource != name })
		parent := apidiscovery.APIResourceDiscovery{
			Resource: name,
			Scope:    scope(&entries[start]),
			// There is nothing at the resource itself. Clients of Kubernetes 1.26
			// do not take nil for that.
			ResponseKind: &metav1.GroupVersionKind{},
		}
		if left.take(&parent, len(`,"subresources":[]`)) {
			resources = append(resources, parent)
			metrics = append(metrics, entries[start:end])
		}
		start = end
	}
	for more := true; more; {
		more = false
		for i := range metrics {
			if len(metrics[i]) == 0 || left.full() {
				continue
			}
			more = true
			subresource := apidiscovery.APISubresourceDiscovery{
				Subresource:  metrics[i][0].metric,
				ResponseKind: &metav1.GroupVersionKind{Kind: customListKind},
				Verbs:        verbs(),
			}
			if left.take(&subresource, 0) {
				resources[i].Subresources = append(resources[i].Subresources, subresource)
			}
			metrics[i] = metrics[i][1:]
		}
	}
	return resources
}

// aggregateExternal is what the aggregated document has of external metrics: as
// many as there is room for.
func aggregateExternal(entries []entry, left room) []apidiscovery.APIResourceDiscovery {
	var resources []apidiscovery.APIResourceDiscovery
	for i := range entries {
		if left.full() {
			break
		}
		resource := apidiscovery.APIResourceDiscovery{
			Resource:     entries[i].resource,
			Scope:        scope(&entries[i]),
			ResponseKind: &metav1.GroupVersionKind{Kind: externalListKind},
			Verbs:        verbs(),
		}
		if left.take(&resource, 0) {
			resources = append(resources, resource)
		}
	}
	return resources
}

func scope(e *entry) apidiscovery.ResourceScope {
	if e.namespaced {
		return apidiscovery.ScopeNamespace
	}
	return apidiscovery.ScopeCluster
}
