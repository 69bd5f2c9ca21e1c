// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package nodeclient fetches small documents from many nodes, over one kept
// connection a node. It knows HTTP and TLS, but nothing of what the documents
// mean.
//
// # Types
//
//   - Client: what all nodes share: credentials, trust, the bounds on bytes,
//     and the buffers.
//   - Conn: one node. It dials when it has to, keeps the connection between
//     requests, and is used by one goroutine at a time.
//   - Answer: one document and when it was asked for; its body is borrowed.
//   - Error: what went wrong, with a Reason to count it by.
//
// # Why not net/http's Transport
//
// A Conn asks for one document at a time, so it needs neither a pool nor the
// two goroutines, and the read and write buffers, that net/http keeps for each
// idle connection: with 10,000 nodes they would be 20,000 goroutines and some
// 200 MB. What is left out on purpose: HTTP/2, redirects, cookies,
// proxies, and every way to reuse a connection for another node. Proxies,
// because nodes are reached inside the cluster's network, and a proxy from the
// environment, which is there for the way out of it, would see the credentials.
//
// # The short way and the long way
//
// All requests differ in nothing but the address and the path, and nearly all
// answers have one of two forms. So a request is put together from text that
// all nodes share (requestFields), and an answer's head is read by a small strict
// parser (parseHead); a request costs 10 allocations where it took 50. Whatever
// is out of the ordinary goes the long way, by net/http's Request.Write and
// ReadResponse, which also say what is right: tests hold the short way to be
// the same, byte for byte. So do requests that a wrapper of client-go must see
// one by one, such as that of a credentials plugin.
//
// # Memory
//
// Between requests a connection to a kubelet holds some 15 KB: 5 KB into which
// crypto/tls reads (see records), 3.5 KB of the node's certificate, 2 KB of AES
// keys and tables, and what was left over from the handshake. Nothing of that
// can be given back while the connection is open.
//
// # Bounds
//
// Sizes are bounded for the header, the body as it comes over the wire where it
// is compressed, the plain body, and the sum of all bodies in memory (see
// Options). Time is bounded by the context of a request, from the first dial to
// the last byte.
//
// # Credentials
//
// They come from a rest.Config, and client-go adds them to requests (see Access
// and requestFields). They go nowhere but to the endpoint: a redirect is a failure, and
// plain http is refused where there are credentials.
package nodeclient
