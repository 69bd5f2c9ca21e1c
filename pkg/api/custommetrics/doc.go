// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package custommetrics serves custom.metrics.k8s.io, versions v1beta2 and
// v1beta1, and external.metrics.k8s.io, version v1beta1: paths, selectors,
// encodings, errors and discovery. It knows no metric: those come from a
// Provider and an ExternalProvider.
//
// Install puts the groups whose provider is given into a generic API server,
// which brings authentication, authorization and audit.
package custommetrics
