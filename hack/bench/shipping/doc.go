// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package shipping is a sink without a server around it, so that a million samples
// take seconds and not the half hour that 10,000 series need for them.
//
// What ships is the product's own: answers of kubelets, which were recorded and are
// given new times and values in place, are read by pkg/scraper/kubelet, taken by a
// sink with its queue on disk, and posted to a receiver in another process. The CPU
// time is that of all of it, from the bytes of an answer to the receiver's 2xx.
package shipping
