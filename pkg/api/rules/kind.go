// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// The resources that are known here.
const (
	podsResource       = "pods"
	nodesResource      = "nodes"
	namespacesResource = "namespaces"
)

// The labels by which series name objects.
const (
	podLabel       = "pod"
	nodeLabel      = "node"
	namespaceLabel = "namespace"
	containerLabel = "container"
	pathLabel      = series.PathLabel
)

// kindOf is what objects of a resource are called in an answer. Clients go by what
// they asked for and not by this, so of resources that are not known, whose kinds
// nobody tells us, it is what their names suggest.
func kindOf(resource schema.GroupResource) (kind, apiVersion string) {
	version := schema.GroupVersion{Group: resource.Group, Version: "v1"}
	switch resource.Resource {
	case "pods", "nodes", "namespaces", "services", "deployments", "jobs":
	case "ingresses":
		return "Ingress", version.String()
	case "replicasets":
		return "ReplicaSet", version.String()
	case "statefulsets":
		return "StatefulSet", version.String()
	case "daemonsets":
		return "DaemonSet", version.String()
	case "cronjobs":
		return "CronJob", version.String()
	case "replicationcontrollers":
		return "ReplicationController", version.String()
	case "persistentvolumeclaims":
		return "PersistentVolumeClaim", version.String()
	}
	singular := strings.TrimSuffix(resource.Resource, "s")
	return strings.ToUpper(singular[:1]) + singular[1:], version.String()
}

// defaultLabel is the label that names objects of a resource in the series
// themselves; empty where none does.
func defaultLabel(resource schema.GroupResource) string {
	if resource.Group != "" {
		return ""
	}
	switch resource.Resource {
	case podsResource:
		return podLabel
	case nodesResource:
		return nodeLabel
	case namespacesResource:
		return namespaceLabel
	default:
		return ""
	}
}

// namespacedResource is whether objects of a resource are in namespaces.
func namespacedResource(resource schema.GroupResource) bool {
	return resource.Group != "" || resource.Resource != nodesResource && resource.Resource != namespacesResource
}
