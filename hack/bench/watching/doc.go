// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package watching is what keeping up with the cluster's Nodes and running Pods
// must cost at least with client-go's own means: reflectors that list and watch
// both, in protobuf, decode every object, and discard it.
//
// The product does that, too, so it is what a floor for the product's CPU lacks
// that only scrapes.
package watching
