// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package servingca

import (
	"slices"
	"testing"
	"time"
)

// FuzzParseState reads Secrets that anybody may have written: what is accepted is
// whole, and stays what it is when it is written and read again.
func FuzzParseState(f *testing.F) {
	for range 2 {
		s, _, err := advance(state{}, time.Now(), false)
		if err != nil {
			f.Fatal(err)
		}
		data, err := s.render(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[signerCertKey], data[signerKeyKey], data[bundleKey])
		f.Add(data[bundleKey], data[signerKeyKey], slices.Concat(data[bundleKey], data[bundleKey]))
		f.Add(data[signerCertKey], data[signerCertKey], []byte("-----BEGIN CERTIFICATE-----\n"))
	}
	f.Add([]byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, cert, key, bundle []byte) {
		s, err := parseState(map[string][]byte{signerCertKey: cert, signerKeyKey: key, bundleKey: bundle})
		if err != nil {
			return
		}
		if s.signer == nil || !s.signer.cert.IsCA || !slices.ContainsFunc(s.bundle, s.signer.cert.Equal) {
			t.Fatalf("accepted %+v", s)
		}
		data, err := s.render(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseState(data)
		if err != nil || !again.signer.cert.Equal(s.signer.cert) || len(again.bundle) != len(s.bundle) {
			t.Fatalf("read again: %+v, %v", again, err)
		}
	})
}
