// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	apidiscovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/discovery/aggregated"
)

// The bytes of JSON that a version may take in the aggregated document, all
// others beside it included in the 64 KiB that it may have: every kubectl and
// every controller in the cluster fetches and keeps it. The list of a version
// that has more metrics ends there, and its own document has the rest.
const (
	customBytes   = 24 << 10
	externalBytes = 12 << 10
)

// aggregate puts a version into the aggregated document.
func aggregate(manager aggregated.ResourceManager, version schema.GroupVersion, resources []apidiscovery.APIResourceDiscovery) {
	manager.AddGroupVersion(version.Group, apidiscovery.APIVersionDiscovery{
		Version:   version.Version,
		Freshness: apidiscovery.DiscoveryFreshnessCurrent,
		Resources: resources,
	})
}

// aggregateCustom is what the aggregated document has of metrics about objects: as
// many as fit into size bytes, by their names, so that no resource takes all of
// it. The group and version of a kind are left empty, which stands for those of
// the list.
func aggregateCustom(entries []entry, size int) []apidiscovery.APIResourceDiscovery {
	byMetric := slices.Clone(entries)
	slices.SortStableFunc(byMetric, func(a, b entry) int { return strings.Compare(a.metric, b.metric) })
	var resources []apidiscovery.APIResourceDiscovery
	for i := range byMetric {
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
			if size -= encodedSize(&parent); size < 0 {
				break
			}
			resources = append(resources, parent)
			at = len(resources) - 1
		}
		subresource := apidiscovery.APISubresourceDiscovery{
			Subresource:  e.metric,
			ResponseKind: &metav1.GroupVersionKind{Kind: customListKind},
			Verbs:        verbs(),
		}
		if size -= encodedSize(&subresource); size < 0 {
			break
		}
		resources[at].Subresources = append(resources[at].Subresources, subresource)
	}
	slices.SortFunc(resources, func(a, b apidiscovery.APIResourceDiscovery) int { return cmp.Compare(a.Resource, b.Resource) })
	return resources
}

// aggregateExternal is what the aggregated document has of external metrics: as
// many as fit into size bytes.
func aggregateExternal(entries []entry, size int) []apidiscovery.APIResourceDiscovery {
	var resources []apidiscovery.APIResourceDiscovery
	for i := range entries {
		resource := apidiscovery.APIResourceDiscovery{
			Resource:     entries[i].resource,
			Scope:        scope(&entries[i]),
			ResponseKind: &metav1.GroupVersionKind{Kind: externalListKind},
			Verbs:        verbs(),
		}
		if size -= encodedSize(&resource); size < 0 {
			break
		}
		resources = append(resources, resource)
	}
	return resources
}

func scope(e *entry) apidiscovery.ResourceScope {
	if e.namespaced {
		return apidiscovery.ScopeNamespace
	}
	return apidiscovery.ScopeCluster
}

// encodedSize is how many bytes an element of a list takes in JSON, with what
// comes with the first of a list inside of it.
func encodedSize(of any) int {
	encoded, err := json.Marshal(of)
	if err != nil {
		panic("BUG: discovery has no JSON: " + err.Error())
	}
	return len(encoded) + len(`,"subresources":[]`)
}
