// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manifests tests what /manifests renders to.
//
// Every kustomization that users apply, and every combination of components
// under testdata that the documentation promises, is rendered with the
// kustomize library of kubectl and held against four things: the types of the
// Kubernetes API, decoded strictly; the Pod Security level "restricted"; the
// names, labels and ports by which the installation takes metrics-server's
// place; and golden lists of its objects and of the rights it asks for.
//
// It is a module of its own so that neither kustomize nor the Pod Security
// checks become dependencies of the product.
package manifests
