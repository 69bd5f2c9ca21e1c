// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sigv4 signs requests as Amazon Web Services want them, by Signature
// Version 4, without their SDK.
//
// [New] is a transport that signs what goes through it. It has its [Credentials] from
// the configuration, or as a pod on EKS has them, from the environment: keys, the
// token of a service account that is exchanged for a role's (IRSA), or the agent of
// EKS Pod Identity. Those that end are fetched anew in time. Profiles and the metadata
// of EC2 instances are not read.
//
// A transport is safe for concurrent use and starts no goroutine.
package sigv4
