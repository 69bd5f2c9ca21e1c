// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package api serves metrics.k8s.io, versions v1 and v1beta1, from what
// pkg/storage holds of usage and pkg/api/objects of the cluster's objects.
//
// Install puts the API group into a generic API server, which brings discovery,
// OpenAPI, content negotiation, authentication, authorization and audit. The
// resources are
//
//   - nodes: NodeMetrics, one for each Node whose usage is known;
//   - pods: PodMetrics, one for each running Pod whose usage is complete.
//
// Usage is joined to the objects at the moment of the request: an object that
// is gone is not served, whatever a kubelet still reports, and a pod's usage is
// taken from no other node than the one that the Pod names.
//
// RegisterProbes adds the readiness and liveness checks.
package api
