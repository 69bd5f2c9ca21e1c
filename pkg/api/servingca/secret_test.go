// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package servingca

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"
)

// TestParseState reads what Secrets may hold that we did not write so.
func TestParseState(t *testing.T) {
	whole, _ := mustAdvance(t, state{}, epoch, false)
	whole, _ = mustAdvance(t, whole, renewAt(whole.signer.cert), true) // With a next CA.
	good, err := whole.render(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := mustAdvance(t, state{}, epoch, false)
	strange, err := other.render(nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf, leafPEM, leafKey, err := other.signer.issue(epoch, serviceNames)
	if err != nil {
		t.Fatal(err)
	}
	with := func(key string, value []byte) map[string][]byte {
		data := maps.Clone(good)
		data[key] = value
		return data
	}
	without := func(keys ...string) map[string][]byte {
		data := maps.Clone(good)
		for _, key := range keys {
			delete(data, key)
		}
		return data
	}
	for _, test := range []struct {
		name string
		data map[string][]byte
		want error
		says string
	}{
		{"another's", map[string][]byte{"tls.crt": leafPEM, "tls.key": leafKey}, errForeign, "keys: tls.crt, tls.key"},
		{"no signer", without(signerCertKey), errDamaged, "signer.crt is missing"},
		{"no signer's key", without(signerKeyKey), errDamaged, "signer.key is missing"},
		{"an empty key", with(signerKeyKey, nil), errDamaged, "signer.key is missing"},
		{"no next CA's key", without(nextKeyKey), errDamaged, "next.key is missing"},
		{"no bundle", without(bundleKey), errDamaged, "bundle.crt: no certificate"},
		{"another's key", with(signerKeyKey, strange[signerKeyKey]), errDamaged, "signer.crt and signer.key"},
		{"half a certificate", with(signerCertKey, good[signerCertKey][:100]), errDamaged, "signer.crt and signer.key"},
		{"not PEM", with(signerCertKey, []byte("gone")), errDamaged, "signer.crt and signer.key"},
		{"two certificates", with(signerCertKey, append(bytes.Clone(good[signerCertKey]), leafPEM...)), errDamaged, "2 certificates"},
		{"a key in the bundle", with(bundleKey, append(bytes.Clone(good[bundleKey]), leafKey...)), errDamaged, `"PRIVATE KEY"`},
		{"broken DER in the bundle", with(bundleKey, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), errDamaged, "bundle.crt"},
		{"another's bundle", with(bundleKey, strange[bundleKey]), errDamaged, "bundle.crt is without signer.crt"},
		{"a bundle without the next CA", with(bundleKey, good[signerCertKey]), errDamaged, "bundle.crt is without next.crt"},
		{"no CA", map[string][]byte{signerCertKey: encodeCertificates(leaf), signerKeyKey: leafKey, bundleKey: leafPEM}, errDamaged, "not the certificate of a CA"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if s, err := parseState(test.data); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, %v; want %v with %q", s, err, test.want, test.says)
			}
		})
	}

	// What is more than we write is no damage.
	more := with(bundleKey, append(append([]byte("a comment\n"), good[bundleKey]...), good[signerCertKey]...))
	more["note"] = []byte("for the operators")
	if s, err := parseState(more); err != nil || !s.equal(whole) {
		t.Errorf("a comment, a certificate twice and another key: %v", err)
	}
	if s, err := parseState(map[string][]byte{}); err != nil || s.signer != nil {
		t.Errorf("an empty Secret: %v, %v", s, err)
	}
}
