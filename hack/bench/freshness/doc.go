// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package freshness simulates how old samples are at best: what a server would
// serve that scraped every node once a resolution, and published at once and
// without any cost.
//
// It follows from the kubelets' refresh intervals alone, which are those of
// package fleet, and is the floor that a real server's ages are held against.
package freshness
