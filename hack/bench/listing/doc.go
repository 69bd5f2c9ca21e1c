// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package listing asks an aggregated API server for lists and measures how long
// they take.
//
// A [Client] speaks to the server as kube-apiserver's aggregation layer does:
// HTTP/2, the front proxy's certificate, and the user's name and groups in
// headers; so every request goes through the server's whole chain of
// authentication and authorization. [Client.Do] discards the body and
// [Client.Fetch] keeps it. [OneByOne], [Together] and [Rate] are the ways to
// measure; [Quantile] is how they are summed up.
//
// A Client has one connection. It is safe for concurrent use.
package listing
