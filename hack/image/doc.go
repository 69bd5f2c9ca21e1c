// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package image makes container images with neither Docker nor a registry.
//
// An [Image] is one layer of files and the configuration to run them. [Write]
// puts images into a docker-archive, the tar that `docker load` and
// `ctr images import` take. [Product] is the image that users run, with the
// layout of the repository's Dockerfile; [Pause] and [Workload] are the images
// of the real-node cluster, which cannot pull any.
//
// The same files make the same bytes: entries are sorted, times are fixed, and
// the owner is root. Nothing is kept of the machine that built the image.
//
// The package writes single-platform, single-layer Linux images only. It does
// not read, merge or push images.
package image
