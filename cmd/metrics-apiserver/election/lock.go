// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package election

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Annotation is where a leader's mark is.
const Annotation = "metrics-apiserver/delivered"

// A lock is the Lease as leader election sees it, with the mark written and read
// beside it. What it learns it tells the holder before it returns, so that all of
// that comes from the goroutine of the election, and in its order.
type lock struct {
	client    coordinationclient.LeaseInterface
	name      string
	describes string
	identity  string
	timings   timings
	holder    Holder
	log       *slog.Logger

	// lease is as it was read or written last.
	lease *coordinationv1.Lease
	// before is what was there before we led, and seen is the record of that.
	before Before
	seen   []byte
	// leads is that the holder leads, and leader who does as far as is known.
	leads  bool
	leader string
	// failure is what was wrong with the last request, and deaf how often requests
	// have begun to fail.
	failure string
	deaf    int
}

// Get is resourcelock.Interface's.
func (l *lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timings.request())
	defer cancel()
	lease, err := l.client.Get(ctx, l.name, metav1.GetOptions{})
	if l.note("read", err) != nil {
		return nil, nil, err
	}
	l.lease = lease
	record := resourcelock.LeaseSpecToLeaderElectionRecord(&lease.Spec)
	raw, err := json.Marshal(record)
	if err != nil {
		return nil, nil, err
	}
	// To client-go a record is new that is not the same bytes: how long a leader has
	// been silent counts from when we could hear it.
	raw = fmt.Append(raw, l.deaf)
	l.look(record, raw)
	return record, raw, nil
}

// look takes note of who leads.
func (l *lock) look(record *resourcelock.LeaderElectionRecord, raw []byte) {
	if !bytes.Equal(raw, l.seen) {
		l.seen = raw
		l.before = Before{Mark: l.lease.Annotations[Annotation], Released: record.HolderIdentity == "", Lease: l.timings.lease}
		if !l.before.Released {
			l.before.Fence = time.Now().Add(l.timings.silence())
		}
	}
	if record.HolderIdentity == "" || record.HolderIdentity == l.leader {
		return
	}
	l.leader = record.HolderIdentity
	if l.leader != l.identity {
		l.leads = false
		l.log.Info("another replica ships", "lease", l.describes, "replica", l.leader)
		l.holder.Pause()
	}
}

// Create is resourcelock.Interface's.
func (l *lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	ctx, cancel := context.WithTimeout(ctx, l.timings.request())
	defer cancel()
	lease, err := l.client.Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: l.name},
		Spec:       resourcelock.LeaderElectionRecordToLeaseSpec(&record),
	}, metav1.CreateOptions{})
	if l.note("create", err) != nil {
		return err
	}
	l.lease = lease
	l.before = Before{Released: true, Lease: l.timings.lease}
	l.lead()
	return nil
}

// Update is resourcelock.Interface's.
func (l *lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if l.lease == nil {
		return errors.New("update a lease that was not read")
	}
	ctx, cancel := context.WithTimeout(ctx, l.timings.request())
	defer cancel()
	lease := l.lease.DeepCopy()
	lease.Spec = resourcelock.LeaderElectionRecordToLeaseSpec(&record)
	// Until we lead, what is there is the mark of the one before.
	if l.leads {
		if lease.Annotations == nil {
			lease.Annotations = map[string]string{}
		}
		lease.Annotations[Annotation] = l.holder.Mark()
	}
	lease, err := l.client.Update(ctx, lease, metav1.UpdateOptions{})
	if l.note("renew", err) != nil {
		return err
	}
	l.lease = lease
	if record.HolderIdentity == l.identity {
		l.lead()
	}
	return nil
}

// lead has the holder lead, unless it does.
func (l *lock) lead() {
	if l.leads {
		return
	}
	l.leads, l.leader = true, l.identity
	l.log.Info("this replica ships", "lease", l.describes, "replica", l.identity)
	l.holder.Lead(l.before)
}

// lost has the holder stop, because the Lease could not be renewed.
func (l *lock) lost() {
	if !l.leads {
		return
	}
	l.leads = false
	l.log.Error("the lease could not be renewed in time: what is to be shipped waits", "lease", l.describes, "error", l.failure)
	l.holder.Hold()
}

// note logs where requests begin to fail, and where they succeed again.
func (l *lock) note(what string, err error) error {
	failure := ""
	if err != nil {
		failure = fmt.Sprintf("%s: %v", what, err)
	}
	switch {
	case failure != "" && l.failure == "":
		l.deaf++
		l.log.Error("the lease by which one of several replicas ships cannot be used", "lease", l.describes, "error", failure)
	case failure == "" && l.failure != "":
		l.log.Info("the lease by which one of several replicas ships can be used again", "lease", l.describes)
	}
	l.failure = failure
	return err
}

// RecordEvent is resourcelock.Interface's. What happens is logged.
func (l *lock) RecordEvent(string) {}

// Identity is resourcelock.Interface's.
func (l *lock) Identity() string { return l.identity }

// Describe is resourcelock.Interface's.
func (l *lock) Describe() string { return l.describes }
