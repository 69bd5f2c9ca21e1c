// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apitest makes API servers that tests install our groups on: the whole chain
// of k8s.io/apiserver without a listener, authentication and authorization, which a
// test sets in the configuration where it wants them.
package apitest
