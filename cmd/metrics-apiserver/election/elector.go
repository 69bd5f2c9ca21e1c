// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/klog/v2"
)

// A Holder is what leads, or does not. Before the first call it pauses. Calls do
// not overlap, and an Elector waits for each.
type Holder interface {
	// Lead begins to ship where the one before has ended.
	Lead(before Before)
	// Hold stops to ship, and keeps what comes: it is not known who leads.
	Hold()
	// Pause stops to ship: another one does.
	Pause()
	// Mark is what the next one is told.
	Mark() string
}

// Before is what is known of the leader before.
type Before struct {
	// Mark is its last; empty where there was none.
	Mark string
	// Released is that it said itself that it has ended. Where it did not, it has
	// stopped leading by the time Fence, by our clock, at the latest.
	Released bool
	Fence    time.Time
	// Lease is for how long it may have been silent before it was taken for gone.
	Lease time.Duration
}

// timings are those of client-go's own components.
type timings struct {
	// lease is how long a leader may be silent; deadline is how long it tries to
	// renew, every retry.
	lease, deadline, retry time.Duration
}

// silence is how long a leader can go on leading without a word.
func (t timings) silence() time.Duration { return t.retry + t.deadline }

// request is how long one request may take.
func (t timings) request() time.Duration { return t.deadline / 2 }

// Options are what an Elector is told.
type Options struct {
	Client kubernetes.Interface
	Lease  types.NamespacedName
	// Identity is who we are, which must be another one for each process.
	Identity string
	Holder   Holder
	// Log is told who leads, and what is wrong with the Lease.
	Log *slog.Logger

	timings timings // Tests hurry.
}

// An Elector takes part in the election. It must be run.
type Elector struct {
	lock   *lock
	config leaderelection.LeaderElectionConfig
}

// New is an elector that does nothing yet.
func New(o Options) (*Elector, error) {
	if o.Identity == "" || o.Lease.Name == "" || o.Lease.Namespace == "" {
		return nil, errors.New("an election needs a Lease with its namespace, and an identity")
	}
	if o.timings == (timings{}) {
		o.timings = timings{lease: 15 * time.Second, deadline: 10 * time.Second, retry: 2 * time.Second}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &lock{
		client: o.Client.CoordinationV1().Leases(o.Lease.Namespace), name: o.Lease.Name, describes: o.Lease.String(),
		identity: o.Identity, timings: o.timings, holder: o.Holder, log: o.Log,
	}
	e := &Elector{lock: l, config: leaderelection.LeaderElectionConfig{
		Lock: l, LeaseDuration: o.timings.lease, RenewDeadline: o.timings.deadline, RetryPeriod: o.timings.retry,
		// The Lease is released after the holder has ended, for Run ends after it.
		ReleaseOnCancel: true, Name: "metrics-apiserver",
		// The lock tells the holder: callbacks come in no certain order.
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}},
	}}
	if _, err := leaderelection.NewLeaderElector(e.config); err != nil {
		return nil, fmt.Errorf("make an election: %w", err)
	}
	return e, nil
}

// Run takes part until ctx ends, and then releases the Lease, with the holder's mark
// of that moment, if it is ours: whoever leads next begins at once.
func (e *Elector) Run(ctx context.Context) error {
	// What client-go logs of each attempt, the lock logs where it changes.
	ctx = klog.NewContext(ctx, logr.Discard())
	for ctx.Err() == nil {
		elector, err := leaderelection.NewLeaderElector(e.config)
		if err != nil {
			return fmt.Errorf("make an election: %w", err)
		}
		elector.Run(ctx)
		if ctx.Err() == nil {
			e.lock.lost()
		}
	}
	return nil
}
