// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package wire encodes lists of metrics.k8s.io from their parts, in JSON and in
// protobuf, byte for byte as the typed encoder of k8s.io/apimachinery does, but
// without building the typed objects and without reflection.
//
// A List names its items by sequences, runs, which are gone through once; for
// protobuf, whose envelope says the length of the whole up front, once more where
// nobody measured them (see Sizer). What is encoded is written in chunks from
// pooled buffers, so that a list of any length takes the same little memory:
// a list of one run in turn with encoding, one of several runs while the next
// chunks are encoded, and one that several write at once from what was encoded for
// the first of them (see Shared). A Writer's goroutines end before Write returns.
//
// What cannot change within a list is encoded once: the metadata's fixed fields,
// and labels, which the pods of one workload share. Labels is the form in which
// they are kept.
//
// The two versions of the API, v1 and v1beta1, have one schema; List.Version is
// all that differs.
//
// What such encoders are made of is exported for those of other groups: text,
// times and quantities, the fields of protobuf with their sizes, the envelope
// that Kubernetes puts around it, and the Writer's Stream.
package wire
