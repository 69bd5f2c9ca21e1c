// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"encoding/json"
	"slices"
	"strings"

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

// aggregateCustom is what the aggregated document has of metrics about objects: as
// many as there is room for, by their names, so that no resource takes all of it.
// The group and version of a kind are left empty, which stands for those of the
// list.
func aggregateCustom(entries []entry, left room) []apidiscovery.APIResourceDiscovery {
	byMetric := slices.Clone(entries)
	slices.SortStableFunc(byMetric, func(a, b entry) int { return strings.Compare(a.metric, b.metric) })
	var resources []apidiscovery.APIResourceDiscovery
	for i := range byMetric {
		if left.full() {
			break
		}
		e := &byMetric[i]
		at := slices.IndexFunc(resources, func(r apidiscovery.APIResourceDiscovery) bool { return r.Resource == e.resource })
		if at < 0 {
			parent := apidiscovery.APIResourceDiscovery{
				Resource: e.resource,
				Scope:    scope(e),
				// There is nothing at the resource itself. Clients of Kubernetes
				// 1.26 do not take nil for that.
				ResponseKind: &metav1.GroupVersionKind{},
			}
			if !left.take(&parent, len(`,"subresources":[]`)) {
				continue
			}
			resources = append(resources, parent)
			at = len(resources) - 1
		}
		subresource := apidiscovery.APISubresourceDiscovery{
			Subresource:  e.metric,
			ResponseKind: &metav1.GroupVersionKind{Kind: customListKind},
			Verbs:        verbs(),
		}
		if left.take(&subresource, 0) {
			resources[at].Subresources = append(resources[at].Subresources, subresource)
		}
	}
	slices.SortFunc(resources, func(a, b apidiscovery.APIResourceDiscovery) int { return strings.Compare(a.Resource, b.Resource) })
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
