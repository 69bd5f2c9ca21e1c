// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package openapi holds the generated OpenAPI definitions of the types that are
// served. `make update` writes it anew; nothing in it is written by hand but
// this file.
package openapi
