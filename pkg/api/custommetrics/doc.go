// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package custommetrics serves custom.metrics.k8s.io, versions v1beta2 and
// v1beta1, and external.metrics.k8s.io, version v1beta1: paths, selectors,
// encodings, errors and discovery. It knows no metric: those come from a
// Provider and an ExternalProvider.
//
// Install puts the groups whose provider is given into a generic API server,
// behind its authentication, authorization and audit.
//
// # Paths
//
// The resource of a path is whatever an object's kind is, and its subresource the
// metric, so there is no fixed set of them and k8s.io/apiserver's own installer
// is of no use. What a path means is taken from the RequestInfo by which the
// request was authorized, so that nothing else can be served than what was asked
// about:
//
//	path below custom.metrics.k8s.io/{version}        authorized as             in
//	/namespaces/{ns}/{resource}/{name or *}/{metric}  get {resource}/{metric}   {ns}
//	/namespaces/{ns}/metrics/{metric}                 get metrics named metric  {ns}
//	/{resource}/{name or *}/{metric}                  get {resource}/{metric}   the cluster
//	path below external.metrics.k8s.io/v1beta1
//	/namespaces/{ns}/{metric}                         list {metric}             {ns}
//
// # Answers
//
// Every answer is a list, also that of one object. It is written from its parts,
// byte for byte as the typed encoder would; encodings other than JSON and
// protobuf are left to that one. No answer says Retry-After: client-go waits as
// long as it says, and an HPA has five workers for the whole cluster.
//
// # Discovery
//
// The document of a version names every metric. The aggregated one, which every
// client fetches and keeps, has as many as fit into a fixed size.
package custommetrics
