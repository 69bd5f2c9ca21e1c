// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// metrics-apiserver scrapes the kubelets of a Kubernetes cluster and serves
// what it read as the aggregated API metrics.k8s.io, to kubectl top and to the
// HorizontalPodAutoscaler. It takes the place of metrics-server: same flags,
// same names, same answers.
//
// This package has the flags (options.go, kubelet_options.go), turns them into
// configurations (config.go), wires scraper, store and API together and runs
// them (server.go). The serving CA is wired in serving_ca.go, self-metrics in metrics.go,
// what the configuration file asks for in configured.go, and giving up history while
// memory is scarce in pressure.go.
package main
