// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package servingca

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The keys of the Secret. All values are PEM.
const (
	signerCertKey = "signer.crt" // The CA that signs.
	signerKeyKey  = "signer.key"
	nextCertKey   = "next.crt" // The CA that will sign; absent most of the time.
	nextKeyKey    = "next.key"
	bundleKey     = "bundle.crt" // The CAs that verifiers trust.
)

var (
	// errForeign says that somebody else keeps something in our Secret.
	errForeign = errors.New("it holds something else, which is not written over: name another Secret, or empty it to have a CA made")
	// errDamaged says that what we kept there is no longer whole.
	errDamaged = errors.New("it does not hold a whole CA and is not written over: restore it, or empty it to have a new CA made")
)

// parseState reads a Secret's data. No data at all is the zero state: nobody has
// made a CA yet. Keys that are not ours are left alone, beside ours.
func parseState(data map[string][]byte) (state, error) {
	if len(data) == 0 {
		return state{}, nil
	}
	ours := func(key string) bool { _, ok := data[key]; return ok }
	if !slices.ContainsFunc([]string{signerCertKey, signerKeyKey, nextCertKey, nextKeyKey, bundleKey}, ours) {
		return state{}, fmt.Errorf("%w (keys: %s)", errForeign, strings.Join(slices.Sorted(maps.Keys(data)), ", "))
	}
	damaged := func(err error) (state, error) { return state{}, fmt.Errorf("%w: %w", errDamaged, err) }
	var s state
	var err error
	if s.signer, err = parseAuthority(data, signerCertKey, signerKeyKey); err != nil {
		return damaged(err)
	}
	if ours(nextCertKey) || ours(nextKeyKey) {
		if s.next, err = parseAuthority(data, nextCertKey, nextKeyKey); err != nil {
			return damaged(err)
		}
	}
	if s.bundle, err = parseBundle(data[bundleKey]); err != nil {
		return damaged(fmt.Errorf("%s: %w", bundleKey, err))
	}
	if !slices.ContainsFunc(s.bundle, s.signer.cert.Equal) {
		return damaged(fmt.Errorf("%s is without %s", bundleKey, signerCertKey))
	}
	if s.next != nil && !slices.ContainsFunc(s.bundle, s.next.cert.Equal) {
		return damaged(fmt.Errorf("%s is without %s", bundleKey, nextCertKey))
	}
	return s, nil
}

// parseAuthority reads one CA with its key.
func parseAuthority(data map[string][]byte, certKey, keyKey string) (*authority, error) {
	for _, key := range []string{certKey, keyKey} {
		if len(data[key]) == 0 {
			return nil, fmt.Errorf("%s is missing", key)
		}
	}
	// This also checks that the two belong together.
	pair, err := tls.X509KeyPair(data[certKey], data[keyKey])
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", certKey, keyKey, err)
	}
	if len(pair.Certificate) != 1 {
		return nil, fmt.Errorf("%s has %d certificates instead of one", certKey, len(pair.Certificate))
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", certKey, err)
	}
	if !cert.IsCA {
		return nil, fmt.Errorf("%s is not the certificate of a CA", certKey)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: a key that cannot sign", keyKey)
	}
	return &authority{cert: cert, key: signer}, nil
}

// parseBundle reads certificates, each once.
func parseBundle(text []byte) ([]*x509.Certificate, error) {
	var bundle []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("a PEM block of type %q", block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(bundle, cert.Equal) {
			bundle = append(bundle, cert)
		}
	}
	if len(bundle) == 0 {
		return nil, errors.New("no certificate")
	}
	return bundle, nil
}

// render is a Secret's data with a state in it. Other keys stay.
func (s state) render(data map[string][]byte) (map[string][]byte, error) {
	rendered := maps.Clone(data)
	if rendered == nil {
		rendered = map[string][]byte{}
	}
	key, err := encodeKey(s.signer.key)
	if err != nil {
		return nil, err
	}
	rendered[signerCertKey], rendered[signerKeyKey] = encodeCertificates(s.signer.cert), key
	delete(rendered, nextCertKey)
	delete(rendered, nextKeyKey)
	if s.next != nil {
		if key, err = encodeKey(s.next.key); err != nil {
			return nil, err
		}
		rendered[nextCertKey], rendered[nextKeyKey] = encodeCertificates(s.next.cert), key
	}
	rendered[bundleKey] = encodeCertificates(s.bundle...)
	return rendered, nil
}
