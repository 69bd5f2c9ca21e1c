// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package toolchain builds the tools that development and tests need (the
// Kubernetes control plane, kwok, containerd, ...) from the versions pinned in
// hack/tools/<module>/go.mod.
//
// A [Module] is one directory below hack/tools; its go.mod names tools with
// `tool` directives. [Build] compiles them with `go build` into a cache outside
// the checkout, and returns the paths of the binaries. A tool that is already
// in the cache costs a few milliseconds. [BuildPackage] compiles a command of
// the checkout itself.
//
// The cache is shared by all checkouts of a user. Its entries are keyed by
// everything that shapes a binary (go.mod, go.sum, Go version, platform,
// flags), so a changed pin never yields an old binary. A file lock per entry
// keeps two processes from compiling the same tools at once.
//
// The package needs a Unix system with the go command in PATH. It is safe for
// concurrent use.
package toolchain
