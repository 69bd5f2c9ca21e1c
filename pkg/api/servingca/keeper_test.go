// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package servingca

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// run runs a Keeper until the test or stop ends it.
func run(t *testing.T, k *Keeper) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := k.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// pass lets time go by, and all that happens in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// mustServe fails unless the Keeper's certificate is one that bundle verifies.
func mustServe(t *testing.T, k *Keeper, bundle []byte) *x509.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(k.Certificate().CurrentCertKeyContent())
	if err != nil {
		t.Fatal(err)
	}
	roots, err := parseBundle(bundle)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(pair.Leaf, roots, time.Now()); err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

// shown is what a self-metric of the Keeper says.
func shown(t *testing.T, k *Keeper, name string) float64 {
	t.Helper()
	families, err := k.options.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "metrics_apiserver_serving_ca_"+name {
			metric := family.GetMetric()[0]
			return metric.GetGauge().GetValue() + metric.GetCounter().GetValue() // One of them is absent.
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func TestNewInstallation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI(t)
		insecure := verifiedAPIService("kube-system", "metrics-server")
		insecure["spec"].(map[string]any)["insecureSkipTLSVerify"] = true
		f.put(betaPath, insecure)
		k := f.newKeeper()
		if cert, key := k.Certificate().CurrentCertKeyContent(); cert != nil || key != nil {
			t.Error("there is a certificate before there is a CA")
		}
		run(t, k)
		if err := k.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		cert := mustServe(t, k, f.bundle(v1Path))
		if !slices.Contains(cert.DNSNames, "localhost") {
			t.Errorf("the certificate is for %v", cert.DNSNames)
		}
		if n := f.count("update"); n != 1 {
			t.Errorf("%d updates of the Secret", n)
		}
		if n := f.count("patch"); n != 1 {
			t.Errorf("%d patches of APIServices, want one: the other is not verified", n)
		}

		for name, cert := range map[string]*x509.Certificate{"expiration": f.state().signer.cert, "certificate_expiration": cert} {
			if got, want := shown(t, k, name+"_timestamp_seconds"), float64(cert.NotAfter.Unix()); got != want {
				t.Errorf("the metric of %s says %v, want %v", name, got, want)
			}
		}

		// The second step: the other is verified from now on.
		f.put(betaPath, verifiedAPIService("kube-system", "metrics-server"))
		pass(quiet)
		mustServe(t, k, f.bundle(betaPath))

		// A wrong bundle is mended at once.
		f.mu.Lock()
		wrong := verifiedAPIService("kube-system", "metrics-server")
		wrong["spec"].(map[string]any)["caBundle"] = []byte("wrong")
		f.putLocked(v1Path, wrong)
		f.mu.Unlock()
		pass(quiet)
		mustServe(t, k, f.bundle(v1Path))

		// Another server's APIService of this name is not ours, and one that
		// kube-apiserver serves itself is nobody's.
		for _, foreign := range []map[string]any{
			verifiedAPIService("kube-system", "another"), verifiedAPIService("default", "metrics-server"), {"spec": map[string]any{}},
		} {
			f.put(v1Path, foreign)
			pass(resync)
			if bundle := f.bundle(v1Path); bundle != nil {
				t.Errorf("%v has our bundle: %s", foreign, bundle)
			}
		}
	})
}

// TestLoad counts the requests of a day in which nothing happens.
func TestLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI(t)
		run(t, f.newKeeper())
		pass(time.Minute)
		gets, writes, watches := f.count("get"), f.count("update", "patch"), f.count("watch")
		pass(day)
		if n, most := f.count("get")-gets, 3*int(day/resync); n > most {
			t.Errorf("%d objects are read in a day, more than %d", n, most)
		}
		if n := f.count("update", "patch") - writes; n != 0 {
			t.Errorf("%d writes in a day", n)
		}
		if n := f.count("watch") - watches; n != 0 {
			t.Errorf("%d new watches though none has ended", n)
		}
		f.endWatches()
		pass(2 * watchPause)
		if n := f.count("watch") - watches; n != 3 {
			t.Errorf("%d watches after three have ended", n)
		}
	})
}

// TestReplicas starts two replicas that both read the empty Secret before either
// writes: one wins, the other takes its CA.
func TestReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI(t)
		var writing atomic.Int32
		both := make(chan struct{})
		f.before = func(verb, _ string) int {
			if verb == "update" {
				if writing.Add(1) == 2 {
					close(both)
				}
				<-both
			}
			return 0
		}
		a, b := f.newKeeper(), f.newKeeper()
		run(t, a)
		run(t, b)
		pass(time.Minute)
		if n := writing.Load(); n != 2 {
			t.Fatalf("%d replicas wrote a CA, want both to try", n)
		}
		bundle := f.bundle(v1Path)
		if !bytes.Equal(bundle, encodeCertificates(f.state().bundle...)) {
			t.Error("the bundle is not the Secret's")
		}
		if mustServe(t, a, bundle).Equal(mustServe(t, b, bundle)) {
			t.Error("two processes have one certificate")
		}
		for _, k := range []*Keeper{a, b} {
			if n := shown(t, k, "failures_total"); n != 0 {
				t.Errorf("to come second is taken for a failure, %v times", n)
			}
		}
	})
}

// TestLateReplica holds a replica back between reading and writing, while
// another goes on: it must not put the older bundle in place of the newer one.
func TestLateReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI(t)
		old, _ := mustAdvance(t, state{}, time.Now().Add(-250*day), true)
		f.putState(old)
		var held atomic.Bool
		release := make(chan struct{})
		f.before = func(verb, _ string) int {
			if verb == "patch" && held.CompareAndSwap(false, true) {
				<-release
			}
			return 0
		}
		late := f.newKeeper()
		stopLate := run(t, late)
		pass(time.Second)
		if !held.Load() {
			t.Fatal("the first replica writes no bundle")
		}
		// It stays held, and another replica meets a Secret that was emptied.
		f.putData(nil)
		run(t, f.newKeeper())
		pass(time.Minute)
		newer := encodeCertificates(f.state().bundle...)
		if !bytes.Equal(f.bundle(v1Path), newer) {
			t.Fatal("the second replica's bundle is not there")
		}
		watched := f.count("patch")
		close(release)
		pass(0)
		if !bytes.Equal(f.bundle(v1Path), newer) {
			t.Error("an older bundle took the place of a newer one")
		}
		pass(time.Minute)
		if f.count("patch") != watched {
			t.Error("bundles are written back and forth")
		}
		mustServe(t, late, newer)
		stopLate()
	})
}

// TestRotation renews a CA while the APIService cannot be written at first.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI(t)
		old, _ := mustAdvance(t, state{}, time.Now().Add(-250*day), true)
		f.putState(old)
		var refuse atomic.Bool
		f.before = func(verb, _ string) int {
			if verb == "patch" && refuse.Load() {
				return http.StatusForbidden
			}
			return 0
		}
		refuse.Store(true)
		k := f.newKeeper()
		listener := &counter{}
		k.Certificate().AddListener(listener)
		run(t, k)
		pass(2 * overlap)
		s := f.state()
		if s.next == nil || !s.signer.equal(old.signer) {
			t.Fatal("a CA signs that the API server was never given")
		}
		mustServe(t, k, encodeCertificates(old.bundle...))

		// The overlap is over; what was missing is the bundle.
		refuse.Store(false)
		pass(2 * maxBackoff)
		if now := f.state(); !now.signer.equal(s.next) {
			t.Error("the next CA does not sign when the API server has it")
		}
		mustServe(t, k, encodeCertificates(s.next.cert))
		mustServe(t, k, f.bundle(v1Path))
		if n := listener.Load(); n != 2 {
			t.Errorf("the server was told of %d certificates, want 2", n)
		}
	})
}

// counter is a dynamiccertificates.Listener.
type counter struct{ atomic.Int32 }

func (c *counter) Enqueue() { c.Add(1) }

// TestOverlap renews a CA with nothing amiss: it signs a day later, to the
// second.
func TestOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI(t)
		old, _ := mustAdvance(t, state{}, time.Now().Add(-250*day), true)
		f.putState(old)
		k := f.newKeeper()
		run(t, k)
		pass(overlap - time.Second)
		next := f.state().next
		if next == nil || !bytes.Contains(f.bundle(v1Path), encodeCertificates(next.cert)) {
			t.Fatal("no next CA is in the APIService's bundle")
		}
		before := mustServe(t, k, encodeCertificates(old.signer.cert))
		pass(2 * time.Second)
		if mustServe(t, k, encodeCertificates(next.cert)).Equal(before) {
			t.Error("the certificate is still the old CA's")
		}
	})
}

// TestForeignSecret meets content of somebody else: it says so, and leaves it.
func TestForeignSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI(t)
		f.putData(map[string][]byte{"password": []byte("theirs")})
		k := f.newKeeper()
		run(t, k)
		started := time.Now()
		err := k.Ready(t.Context())
		if err == nil || !strings.Contains(err.Error(), "Secret kube-system/metrics-server-ca: it holds something else") {
			t.Errorf("not ready because of %v", err)
		}
		if waited := time.Since(started); waited != readyTimeout {
			t.Errorf("waited %v", waited)
		}
		if n := f.count("update", "patch"); n != 0 {
			t.Errorf("%d writes", n)
		}
		// Somebody empties it.
		f.putData(nil)
		if err := k.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		pass(quiet)
		mustServe(t, k, f.bundle(v1Path))
	})
}

// TestMissingSecret says what has to be done, and sees when it is.
func TestMissingSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI(t)
		f.mu.Lock()
		delete(f.mu.objects, secretPath)
		f.mu.Unlock()
		k := f.newKeeper()
		run(t, k)
		err := k.Ready(t.Context())
		if !apierrors.IsNotFound(err) || !strings.Contains(err.Error(), "has to exist") {
			t.Errorf("not ready because of %v", err)
		}
		f.putData(nil)
		pass(quiet)
		mustServe(t, k, f.bundle(v1Path))
	})
}

// TestDamageLater damages the Secret of a server that runs: it goes on with the
// CA that it knows, for as long as that lasts.
func TestDamageLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI(t)
		k := f.newKeeper()
		run(t, k)
		pass(time.Minute)
		bundle := f.bundle(v1Path)
		before := mustServe(t, k, bundle)
		f.putData(map[string][]byte{signerCertKey: []byte("gone")})
		written := f.count("update", "patch")
		due := *k.certificate.current.Load()
		due.renew = time.Now().Add(time.Hour)
		k.certificate.current.Store(&due)
		pass(2 * time.Hour)
		if mustServe(t, k, bundle).Equal(before) {
			t.Error("the certificate is not renewed")
		}
		if f.count("update", "patch") != written {
			t.Error("a damaged Secret is written over")
		}
	})
}

// TestAPIServerAway lets every request fail for a day.
func TestAPIServerAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI(t)
		var away atomic.Bool
		f.before = func(string, string) int {
			if away.Load() {
				return http.StatusBadGateway
			}
			return 0
		}
		k := f.newKeeper()
		run(t, k)
		pass(time.Minute)
		bundle := f.bundle(v1Path)
		away.Store(true)
		f.endWatches()
		reads, watches := f.count("get"), f.count("watch")
		pass(day)
		mustServe(t, k, bundle)
		if n, most := f.count("get")-reads, 3*int(day/maxBackoff)+30; n > most {
			t.Errorf("%d objects are asked for in a day, more than %d", n, most)
		}
		if n, most := f.count("watch")-watches, 3*int(day/watchPause); n > most {
			t.Errorf("%d watches are asked for in a day, more than %d", n, most)
		}
		// It is back, with another bundle.
		f.put(v1Path, verifiedAPIService("kube-system", "metrics-server"))
		away.Store(false)
		pass(2*watchPause + quiet)
		mustServe(t, k, f.bundle(v1Path))
	})
}

// TestReadyStops holds that a server which is stopped while it waits ends.
func TestReadyStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeAPI(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := f.newKeeper().Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the context's error", err)
		}
	})
}
