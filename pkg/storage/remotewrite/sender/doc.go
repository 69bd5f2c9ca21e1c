// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sender makes the requests of remote-write: it reads ready bodies from a
// queue and posts them until the receiver has answered.
//
// Bodies are in lanes. Those of one lane are posted one after the other, the next
// when the one before is done with, so that a series, which is always in the same
// lane, arrives in order also where an attempt has to be repeated; lanes are
// posted side by side. Where series are divided anew, an epoch begins, and waits
// for all of the epoch before.
//
// What an answer means is in outcome.go. A body is done with when it was taken, or
// refused for good; what is refused is counted and never posted again. There is no
// limit to the attempts: what is too much is dropped by the queue.
//
// While another process ships, a sender is shut: it reads and posts nothing, and
// gives up what is in flight.
package sender
