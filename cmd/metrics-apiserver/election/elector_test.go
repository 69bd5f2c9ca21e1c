// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
)

// A replica is a holder that takes down what it is told.
type replica struct {
	name string
	mu   sync.Mutex
	role string
	// before is what it was told when it led last, and leads how often it was.
	before Before
	leads  int
	marks  int

	stop func()
}

func (r *replica) become(role string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.role = role
}

func (r *replica) is() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.role
}

func (r *replica) told() Before {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.before
}

// Lead is Holder's.
func (r *replica) Lead(before Before) {
	r.become("leads")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = before
	r.leads++
}

// Hold is Holder's.
func (r *replica) Hold() { r.become("holds") }

// Pause is Holder's.
func (r *replica) Pause() { r.become("pauses") }

// Mark is Holder's.
func (r *replica) Mark() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks++
	return fmt.Sprint(r.name, " ", r.marks)
}

// A site is an API server with a Lease.
type site struct {
	t      *testing.T
	client *fake.Clientset
	// down is that it does not answer.
	down   atomic.Bool
	writes atomic.Int64
}

func newSite(t *testing.T) *site {
	s := &site{t: t, client: fake.NewClientset(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "lease"}})}
	s.client.PrependReactor("*", "leases", func(action k8stesting.Action) (bool, runtime.Object, error) {
		if action.GetVerb() == "update" {
			s.writes.Add(1)
		}
		return s.down.Load(), nil, errors.New("it is down")
	})
	return s
}

// replica starts one.
func (s *site) replica(name string) *replica {
	s.t.Helper()
	r := &replica{name: name, role: "pauses"}
	e, err := New(Options{Client: s.client, Lease: types.NamespacedName{Namespace: "ns", Name: "lease"}, Identity: name, Holder: r})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	}
	return r
}

// TestReleased hands over from a replica that ends: the other one leads within two
// renewals, and is told its last mark.
func TestReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		a := s.replica("a")
		time.Sleep(5 * time.Second)
		b := s.replica("b")
		writes := s.writes.Load()
		time.Sleep(time.Minute)
		if a.is() != "leads" || b.is() != "pauses" || a.told() != (Before{Released: true, Lease: 15 * time.Second}) {
			t.Errorf("a %s, b %s, a was told %+v", a.is(), b.is(), a.told())
		}
		if n := s.writes.Load() - writes; n > 31 || n < 25 {
			t.Errorf("%d writes in a minute, renewing every two seconds", n)
		}
		a.stop()
		time.Sleep(5 * time.Second)
		if want := (Before{Mark: fmt.Sprint("a ", a.marks), Released: true, Lease: 15 * time.Second}); b.is() != "leads" || b.told() != want {
			t.Errorf("b %s, and was told %+v, want %+v", b.is(), b.told(), want)
		}
		b.stop()
	})
}

// TestGone is a replica that ends without a word: after the Lease the other one
// leads, and is told the last mark and when that one had stopped.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		lease, err := s.client.CoordinationV1().Leases("ns").Get(t.Context(), "lease", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		holder, seconds, now := "gone", int32(15), metav1.NewMicroTime(time.Now())
		lease.Annotations = map[string]string{Annotation: "its mark"}
		lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: &now, AcquireTime: &now}
		if _, err := s.client.CoordinationV1().Leases("ns").Update(t.Context(), lease, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		a := s.replica("a")
		for a.is() != "leads" {
			time.Sleep(100 * time.Millisecond)
		}
		told := a.told()
		if took := time.Since(began); took < 15*time.Second || took > 20*time.Second {
			t.Errorf("a leads after %v", took)
		}
		if told.Mark != "its mark" || told.Released || told.Fence.Sub(began) != 12*time.Second {
			t.Errorf("a was told %+v", told)
		}
		a.stop()
	})
}

// TestAPIServerAway has the leader hold after a while, and lead again when the API
// server is back: nobody else could, and it is told its own mark.
func TestAPIServerAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		a := s.replica("a")
		time.Sleep(10 * time.Second)
		b := s.replica("b")
		time.Sleep(10 * time.Second)
		s.down.Store(true)
		time.Sleep(6 * time.Second)
		if a.is() != "leads" {
			t.Error("a does not lead any more, for a few seconds without the API server")
		}
		time.Sleep(9 * time.Second)
		if a.is() != "holds" || b.is() != "pauses" {
			t.Errorf("a %s, b %s, without the API server", a.is(), b.is())
		}
		time.Sleep(time.Hour)
		if a.is() != "holds" || b.is() != "pauses" {
			t.Errorf("a %s, b %s, an hour without the API server", a.is(), b.is())
		}
		s.down.Store(false)
		time.Sleep(20 * time.Second)
		if told := a.told(); a.is() != "leads" || b.is() != "pauses" || a.leads != 2 || b.leads != 0 || told.Mark == "" {
			t.Errorf("a %s, b %s, and a was told %+v", a.is(), b.is(), told)
		}
		a.stop()
		b.stop()
	})
}

// TestRefused are options with which there is no election.
func TestRefused(t *testing.T) {
	for _, o := range []Options{{}, {Identity: "a"}, {Identity: "a", Lease: types.NamespacedName{Name: "l"}}} {
		o.Client, o.Holder = fake.NewClientset(), &replica{}
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}
