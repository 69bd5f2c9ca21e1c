// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Command cmd writes this repository's container images as docker-archives,
// with neither Docker nor a registry:
//
//	go run ./hack/image/cmd -reference metrics-apiserver:dev -o _output/metrics-apiserver.tar
//	go run ./hack/image/cmd -test -o _output/test-images.tar
//
// The first is the product's image; the second has the images that the
// real-node cluster and its tests run. `docker load -i FILE` or
// `ctr -n k8s.io images import FILE` takes them.
package main
