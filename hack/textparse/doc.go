// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package textparse holds pkg/scraper/exposition against prometheus' own parser
// of the text format, and the speed of pkg/scraper/kubelet against it. It is a
// module of its own so that the product does not depend on prometheus.
//
// What the two must agree on is written at TestAgree, what they may not agree
// on in the documentation of package exposition.
package textparse
