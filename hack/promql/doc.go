// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package promql holds what rules come to against Prometheus: recorded answers of a
// kubelet go the product's way and through Prometheus' own parser and database,
// and the same expressions are evaluated over both. It is a module of its own so
// that the product does not depend on the database.
package promql
