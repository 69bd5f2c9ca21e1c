// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pki makes the certificate authorities, certificates and kubeconfig
// files of a cluster for development and tests.
//
// A [CA] lives as two PEM files in a directory, so that a later process can go
// on issuing with it ([LoadCA]). Keys are ECDSA P-256. Private keys are written
// with mode 0600. Nothing here is meant for a cluster that anybody relies on:
// there is no revocation and no renewal, and certificates last a year.
package pki
