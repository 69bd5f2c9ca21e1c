// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package objects keeps, of the cluster's Node and Pod objects, just what
// serving their usage needs: 30,000 whole Pods in an ordinary informer cost
// well over 58 MB even when trimmed, here a pod costs a few hundred bytes.
//
// Nodes and Pods are each fed by a client-go Reflector, which does listing,
// watching and recovering, and are read by the API. What pods of one workload
// have in common (labels, container statuses, node and namespace names) is held
// once, see interner.
//
// # Concurrency
//
// All reads may run concurrently with each other and with the reflectors.
// Everything returned is immutable and shared.
package objects
