// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package election decides which of several replicas ships samples: the one that
// holds a Lease, by client-go's leader election.
//
// An [Elector] tells a [Holder] what it is: it leads, it holds because it is not
// known who leads, or it pauses because another one leads. Whoever leads writes a
// mark, which is the Holder's own text, into an annotation of the Lease, with each
// renewal and when it releases the Lease; whoever leads next is told the mark.
//
// # When the API server is away
//
// A leader that cannot renew for 10 s holds: another one may lead after 15 s, and
// neither knows of the other. It tries again for as long as it runs, and when it
// finds the Lease to be still its own, it goes on as if nothing had been. So nobody
// ships while nobody can tell, and what comes meanwhile is the Holder's to keep.
// Silence of a leader counts only for who could have heard it, so that when the API
// server is back the one that led leads again, and with it what it has kept.
package election
