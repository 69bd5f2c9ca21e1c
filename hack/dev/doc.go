// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Command dev runs the project on a real cluster on this machine. `make up` and
// `make down` call it.
//
//	go run ./hack/dev up      start or update the cluster and our server
//	go run ./hack/dev status  say what runs
//	go run ./hack/dev env     print the shell's settings to use the cluster
//	go run ./hack/dev down    end everything and remove its files
//
// What is needed is compiled first, which takes minutes the first time. One
// checkout has one cluster; its files are outside the checkout.
//
// Where the cluster's nodes come from is an [environment], chosen by
// `up --node`.
package main
