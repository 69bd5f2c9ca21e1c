// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package servingca

import (
	"crypto/x509"
	"math/rand/v2"
	"testing"
	"time"
)

const day = 24 * time.Hour

// epoch is when these tests begin.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// serviceNames are the names of a serving certificate.
var serviceNames = []string{"metrics-server.kube-system.svc", "localhost"}

// mustAdvance advances a state, through the Secret as a restart does, and checks
// what holds of every state.
func mustAdvance(t *testing.T, s state, now time.Time, published bool) (state, time.Time) {
	t.Helper()
	next, wake, err := advance(s, now, published)
	if err != nil {
		t.Fatal(err)
	}
	if !validAt(next.signer.cert, now) {
		t.Fatalf("at %v the signer is valid from %v to %v", now, next.signer.cert.NotBefore, next.signer.cert.NotAfter)
	}
	if !wake.After(now) || wake.After(next.signer.cert.NotAfter.Add(time.Second)) {
		t.Fatalf("at %v the next look is at %v; the signer ends at %v", now, wake, next.signer.cert.NotAfter)
	}
	if len(next.bundle) > maxBundle {
		t.Fatalf("%d certificates are in the bundle", len(next.bundle))
	}
	for _, cert := range next.bundle {
		if now.After(cert.NotAfter) {
			t.Fatalf("at %v the bundle has a certificate that expired at %v", now, cert.NotAfter)
		}
	}
	if again, _, err := advance(next, now, published); err != nil || !again.equal(next) {
		t.Fatalf("advancing twice at %v changes the state twice (%v)", now, err)
	}
	data, err := next.render(map[string][]byte{"other": []byte("theirs")})
	if err != nil {
		t.Fatal(err)
	}
	if string(data["other"]) != "theirs" {
		t.Fatal("a key that is not ours is lost")
	}
	read, err := parseState(data)
	if err != nil {
		t.Fatal(err)
	}
	if !read.equal(next) {
		t.Fatal("the state changes on its way through the Secret")
	}
	return read, wake
}

// verify verifies a serving certificate as the API server does.
func verify(cert *x509.Certificate, bundle []*x509.Certificate, now time.Time) error {
	roots := x509.NewCertPool()
	for _, ca := range bundle {
		roots.AddCert(ca)
	}
	_, err := cert.Verify(x509.VerifyOptions{
		Roots: roots, CurrentTime: now, DNSName: serviceNames[0], KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}

// TestDecade lives through ten years with two replicas that look late and
// restart, and with API servers that learn of a bundle up to 23 hours late: at
// no moment does one of them meet a certificate that it does not trust.
func TestDecade(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	type published struct {
		at     time.Time
		bundle []*x509.Certificate
	}
	var secret state
	var history []published
	replicas := []*Certificate{{}, {}}
	known := make([]state, len(replicas)) // What each replica has read last.
	signers := 0
	for now := epoch; now.Before(epoch.AddDate(10, 0, 0)); now = now.Add(time.Duration(random.Int64N(int64(2 * day)))) {
		for i := range replicas {
			if random.IntN(2) == 0 && known[i].signer != nil {
				continue // This replica looks some other time.
			}
			before := secret.signer
			secret, _ = mustAdvance(t, secret, now, true)
			known[i] = secret
			if !secret.signer.equal(before) {
				signers++
			}
			if len(secret.bundle) > 2 {
				t.Fatalf("%d certificates are in the bundle", len(secret.bundle))
			}
			if n := len(history); n == 0 || len(history[n-1].bundle) != len(secret.bundle) || !history[n-1].bundle[0].Equal(secret.bundle[0]) {
				history = append(history, published{now, secret.bundle})
			}
		}
		for i := range replicas {
			if random.IntN(100) == 0 {
				replicas[i] = &Certificate{} // It restarts.
			}
			if _, _, err := replicas[i].ensure(known[i].signer, serviceNames, now); err != nil {
				t.Fatal(err)
			}
		}
		seen := now.Add(-time.Duration(random.Int64N(int64(23 * time.Hour))))
		bundle := history[0].bundle
		for _, h := range history {
			if !h.at.After(seen) {
				bundle = h.bundle
			}
		}
		for i := range replicas {
			cert := replicas[i].current.Load().cert
			if err := verify(cert, bundle, now); err != nil {
				t.Fatalf("replica %d after %v: %v", i, now.Sub(epoch), err)
			}
			if left := cert.NotAfter.Sub(now); left < 9*day {
				t.Fatalf("replica %d serves with a certificate that ends in %v", i, left)
			}
		}
	}
	// One each two thirds of a year, and the first.
	if signers < 15 || signers > 16 {
		t.Errorf("%d CAs signed in ten years", signers)
	}
}

// TestRenewal goes through one renewal step by step, only at the moments that
// advance asks for.
func TestRenewal(t *testing.T) {
	first, wake := mustAdvance(t, state{}, epoch, false)
	if want := renewAt(first.signer.cert); !wake.Equal(want) {
		t.Errorf("the first renewal is at %v, want %v", wake, want)
	}
	if early, _ := mustAdvance(t, first, wake.Add(-time.Second), true); !early.equal(first) {
		t.Error("a CA is renewed before two thirds of its life are over")
	}

	joined, wake := mustAdvance(t, first, wake, true)
	joinedAt := renewAt(first.signer.cert)
	if joined.next == nil || !joined.signer.equal(first.signer) || len(joined.bundle) != 2 {
		t.Fatal("the next CA has not joined the bundle beside the signer")
	}
	if !wake.Equal(joinedAt.Add(overlap)) {
		t.Errorf("the next CA signs from %v, want %v", wake, joinedAt.Add(overlap))
	}
	if unpublished, _ := mustAdvance(t, joined, wake.Add(day), false); !unpublished.equal(joined) {
		t.Error("a CA signs that the API server was not given")
	}

	signs, wake := mustAdvance(t, joined, wake, true)
	if !signs.signer.equal(joined.next) || signs.next != nil || len(signs.bundle) != 2 {
		t.Fatal("the next CA has not become the signer, with the old one in the bundle")
	}
	end := first.signer.cert.NotAfter
	if !wake.Equal(end.Add(time.Second)) {
		t.Errorf("the next look is at %v, want %v when the old CA has expired", wake, end)
	}
	if last, _ := mustAdvance(t, signs, end, true); len(last.bundle) != 2 {
		t.Error("a CA leaves the bundle before it has expired")
	}
	if alone, _ := mustAdvance(t, signs, wake, true); len(alone.bundle) != 1 || !alone.signer.equal(signs.signer) {
		t.Error("an expired CA stays in the bundle")
	}
}

// TestClock is about processes that were away and clocks that jump.
func TestClock(t *testing.T) {
	young, _ := mustAdvance(t, state{}, epoch, false)
	due := renewAt(young.signer.cert)
	renewing, _ := mustAdvance(t, young, due, true)
	for _, test := range []struct {
		name  string
		from  state
		moves []time.Duration // Since epoch, one after the other.
		// What has become of the CAs in the end.
		signer *authority // nil: a new one.
		bundle int
	}{
		{"an hour back, as a clock that is set", young, []time.Duration{-59 * time.Minute}, young.signer, 1},
		{"away for half a year", young, []time.Duration{182 * day}, young.signer, 1},
		{"away past the renewal", young, []time.Duration{300 * day}, young.signer, 2},
		{"away past the end", young, []time.Duration{400 * day}, nil, 1},
		{"away past the overlap", renewing, []time.Duration{300 * day}, renewing.next, 2},
		{"away past the end while renewing", renewing, []time.Duration{400 * day}, renewing.next, 1},
		{"away past the next CA's renewal", renewing, []time.Duration{540 * day}, renewing.next, 2},
		{"away past everything", renewing, []time.Duration{900 * day}, nil, 1},
		{"forward to the renewal and back", young, []time.Duration{300 * day, day}, young.signer, 1},
		{"back to before the next CA", renewing, []time.Duration{day}, renewing.signer, 1},
		{"a day back from before the first CA", young, []time.Duration{-day}, nil, 2},
		{"years forward and back", young, []time.Duration{2000 * day, day}, nil, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := test.from
			for _, at := range test.moves {
				// advance itself sees that the signer can be used.
				s, _ = mustAdvance(t, s, epoch.Add(at), true)
			}
			if test.signer != nil && !s.signer.equal(test.signer) {
				t.Errorf("the signer is %v, want the one there was", s.signer.cert.Subject)
			}
			if test.signer == nil && (s.signer.equal(test.from.signer) || s.signer.equal(test.from.next)) {
				t.Error("the signer is not a new one")
			}
			if len(s.bundle) != test.bundle {
				t.Errorf("%d certificates are in the bundle, want %d", len(s.bundle), test.bundle)
			}
		})
	}
}

// TestBundleBound lets a clock run backwards, so that each CA is one of the
// future to the next.
func TestBundleBound(t *testing.T) {
	var s state
	for i := range 3 * maxBundle {
		s, _ = mustAdvance(t, s, epoch.Add(-time.Duration(i)*2*time.Hour), true)
	}
	if len(s.bundle) != maxBundle {
		t.Errorf("%d certificates are in the bundle, want %d", len(s.bundle), maxBundle)
	}
}

// TestShortAuthority serves with a CA that is about to end.
func TestShortAuthority(t *testing.T) {
	s, _ := mustAdvance(t, state{}, epoch, false)
	var c Certificate
	now := s.signer.cert.NotAfter.Add(-time.Minute)
	renew, renewed, err := c.ensure(s.signer, serviceNames, now)
	if err != nil || !renewed {
		t.Fatal(renewed, err)
	}
	if want := now.Add(40 * time.Second); !renew.Equal(want) {
		t.Errorf("the certificate is renewed at %v, want %v", renew, want)
	}
	if cert := c.current.Load().cert; !cert.NotAfter.Equal(s.signer.cert.NotAfter) {
		t.Errorf("the certificate ends at %v, after its CA at %v", cert.NotAfter, s.signer.cert.NotAfter)
	}
	if _, renewed, _ = c.ensure(s.signer, serviceNames, now.Add(39*time.Second)); renewed {
		t.Error("the certificate is renewed too early")
	}
}
