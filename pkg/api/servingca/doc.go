// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package servingca keeps a certificate authority for the serving certificate,
// so that the API server can verify who answers metrics.k8s.io.
//
// A [Keeper] does three things:
//
//   - it keeps a CA in a Secret that exists: makes it where the Secret is empty,
//     and renews it after two thirds of its year (state.go, secret.go);
//   - it writes the CA's bundle into those APIServices that name our Service and
//     ask for verification, and into no other (apiservice.go);
//   - it makes the serving certificate, in memory and for this process alone
//     (certificate.go), which a generic API server takes up without a restart.
//
// Renewal never breaks a connection: a new CA joins the bundle first, signs only
// after 24 hours and when every APIService has it, and the old one stays in the
// bundle until it has expired. All moments follow from the certificates' own
// dates, so a restart at any time goes on where the last process was.
//
// Any number of replicas keep one Secret: each write names the version that it
// replaces, and who comes second reads again. Whoever may read the Secret can
// answer in our name.
//
// A Secret with content that this package did not write, or that is damaged, is
// never written over: to have a new CA made, somebody has to empty it. That is
// also how a key that others may know is replaced. Until then a process goes on
// with the CA that it read before, if it did.
//
// The Keeper's methods may be called concurrently; its callers own nothing that
// it holds.
package servingca
