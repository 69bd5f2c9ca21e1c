// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package servingca

import (
	"crypto/x509"
	"slices"
	"time"
)

const (
	// overlap is how long a new CA is in the bundle before it signs: long enough
	// that every API server has it, also one that was away or restored.
	overlap = 24 * time.Hour
	// maxBundle bounds the bundle. Renewal never has more than two CAs in it;
	// more come about only where clocks jump or disagree.
	maxBundle = 8
)

// state is what the Secret holds. It is not changed but replaced.
//
// Unless it is the zero state: signer is not nil; signer and, where there is one,
// next are in the bundle; no certificate is in the bundle twice.
type state struct {
	signer *authority          // Signs serving certificates.
	next   *authority          // Will sign them; nil: the signer is not old yet.
	bundle []*x509.Certificate // What verifiers trust, the oldest first.
}

// signsFrom is when next has been in the bundle long enough to sign.
func signsFrom(next *authority) time.Time {
	return next.cert.NotBefore.Add(backdate + overlap)
}

// equal says whether both states have the same content.
func (s state) equal(t state) bool {
	return s.signer.equal(t.signer) && s.next.equal(t.next) &&
		slices.EqualFunc(s.bundle, t.bundle, (*x509.Certificate).Equal)
}

// advance is what becomes of a state now, and when to look again at the latest.
// It depends on nothing but its arguments, except for the keys of new CAs, and
// advancing again at the same moment changes nothing. published says whether
// every verifier was given a bundle with s.next.
//
// A CA that is not valid now is of no use, whichever way the clock jumped: it is
// replaced at once, which is the only time that verifiers may meet a certificate
// of a CA that they have not heard of yet.
func advance(s state, now time.Time, published bool) (state, time.Time, error) {
	if s.next != nil && !validAt(s.next.cert, now) {
		// It has signed nothing yet.
		s.bundle = slices.DeleteFunc(slices.Clone(s.bundle), s.next.cert.Equal)
		s.next = nil
	}
	usable := s.signer != nil && validAt(s.signer.cert, now)
	if s.next != nil && (!usable || published && !now.Before(signsFrom(s.next))) {
		s.signer, s.next, usable = s.next, nil, true
	}
	if !usable {
		signer, err := newAuthority(now)
		if err != nil {
			return state{}, time.Time{}, err
		}
		s.signer, s.bundle = signer, append(slices.Clip(s.bundle), signer.cert)
	}
	if s.next == nil && !now.Before(renewAt(s.signer.cert)) {
		next, err := newAuthority(now)
		if err != nil {
			return state{}, time.Time{}, err
		}
		s.next, s.bundle = next, append(slices.Clip(s.bundle), next.cert)
	}
	s.bundle = trim(s, now)
	return s, wakeAt(s, now), nil
}

// trim is a state's bundle without what has expired, and within its bound.
func trim(s state, now time.Time) []*x509.Certificate {
	bundle := slices.DeleteFunc(slices.Clone(s.bundle), func(cert *x509.Certificate) bool { return now.After(cert.NotAfter) })
	for i := 0; len(bundle) > maxBundle; {
		if cert := bundle[i]; cert.Equal(s.signer.cert) || s.next != nil && cert.Equal(s.next.cert) {
			i++
			continue
		}
		bundle = slices.Delete(bundle, i, i+1)
	}
	return bundle
}

// wakeAt is the first moment after now at which advance may change the state.
// Where only verifiers are waited for, that is for the caller to know.
func wakeAt(s state, now time.Time) time.Time {
	var wake time.Time
	consider := func(t time.Time) {
		if t.After(now) && (wake.IsZero() || t.Before(wake)) {
			wake = t
		}
	}
	if s.next == nil {
		consider(renewAt(s.signer.cert))
	} else {
		consider(signsFrom(s.next))
	}
	for _, cert := range s.bundle {
		consider(cert.NotAfter.Add(time.Second)) // NotAfter itself is still valid.
	}
	return wake
}
