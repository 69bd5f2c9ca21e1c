// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package reproducible holds that the server's binary depends on nothing but its
// source: whoever builds it, wherever, with the same version of Go, gets the same
// bytes, and can so check a release.
//
// It has only a test. It copies the source to two folders and runs `make build`
// in each. By itself it shares Go's build cache between the two, which is quick
// and still finds paths, times and names of users in what is linked; with -cold,
// each is compiled wholly, which takes minutes.
package reproducible
