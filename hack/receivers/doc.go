// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package receivers holds pkg/storage/remotewrite against those for whom it
// writes: the messages against Prometheus' own, and a whole sink against real
// receivers, whose samples are counted by query. It is a module of its own so that
// the product does not depend on prometheus.
package receivers
