// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	certutil "k8s.io/client-go/util/cert"
)

// leaf is the server's certificate in PEM of a pair that fits together and that the
// CA behind it vouches for, for the names.
func leaf(t testing.TB, certPEM, keyPEM []byte, names ...string) *x509.Certificate {
	t.Helper()
	if _, err := tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	certs, err := certutil.ParseCertsPEM(certPEM)
	if err != nil || len(certs) != 2 {
		t.Fatalf("%d certificates, %v", len(certs), err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certs[1])
	for _, name := range names {
		if _, err := certs[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("for %s: %v", name, err)
		}
	}
	return certs[0]
}

// TestSelfSignedAsTheLibrary holds our certificate against the library's in all but
// the kind of key and, with it, what the key is good for.
func TestSelfSignedAsTheLibrary(t *testing.T) {
	addresses := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(192, 0, 2, 1)}
	certPEM, keyPEM, err := selfSign(time.Now(), servingLifetime, []string{"localhost"}, addresses)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"localhost", "127.0.0.1", "192.0.2.1"}
	got := leaf(t, certPEM, keyPEM, names...)
	certPEM, keyPEM, err = certutil.GenerateSelfSignedCertKey("localhost", addresses, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := leaf(t, certPEM, keyPEM, names...)
	if !slices.Equal(got.DNSNames, want.DNSNames) || len(got.IPAddresses) != len(want.IPAddresses) || !slices.Equal(got.ExtKeyUsage, want.ExtKeyUsage) || got.IsCA != want.IsCA {
		t.Errorf("got %v %v %v, want %v %v %v", got.DNSNames, got.IPAddresses, got.ExtKeyUsage, want.DNSNames, want.IPAddresses, want.ExtKeyUsage)
	}
	near := func(a, b time.Time) bool { return a.Sub(b).Abs() <= 2*time.Hour }
	if !near(got.NotBefore, want.NotBefore) || !near(got.NotAfter, want.NotAfter) {
		t.Errorf("valid from %v to %v, want %v to %v", got.NotBefore, got.NotAfter, want.NotBefore, want.NotAfter)
	}
}

func TestProvideCertificate(t *testing.T) {
	read := func(t *testing.T, dir string) (cert, key []byte) {
		t.Helper()
		cert, err := os.ReadFile(filepath.Join(dir, "apiserver.crt"))
		if err != nil {
			t.Fatal(err)
		}
		if key, err = os.ReadFile(filepath.Join(dir, "apiserver.key")); err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	provide := func(t *testing.T, dir string, suites ...string) *options {
		t.Helper()
		o := newOptions()
		o.serving.ServerCert.CertDirectory, o.serving.CipherSuites = dir, suites
		o.serving.BindAddress = net.IPv4(192, 0, 2, 1)
		if err := o.provideCertificate(time.Now()); err != nil {
			t.Fatal(err)
		}
		return o
	}

	dir := filepath.Join(t.TempDir(), "new")
	o := provide(t, dir)
	cert, key := read(t, dir)
	if _, ok := leaf(t, cert, key, "localhost", "127.0.0.1", "192.0.2.1").PublicKey.(*ecdsa.PublicKey); !ok {
		t.Error("the key is not an ECDSA key")
	}
	if files := o.serving.ServerCert.CertKey; files.CertFile != filepath.Join(dir, "apiserver.crt") || files.KeyFile != filepath.Join(dir, "apiserver.key") {
		t.Errorf("served with %+v", files)
	}
	if info, err := os.Stat(filepath.Join(dir, "apiserver.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file is %v, %v", info, err)
	}
	provide(t, dir)
	if again, _ := read(t, dir); !bytes.Equal(again, cert) {
		t.Error("a certificate that was there was replaced")
	}

	dir = t.TempDir()
	provide(t, dir, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
	cert, key = read(t, dir)
	if _, ok := leaf(t, cert, key, "localhost").PublicKey.(*rsa.PublicKey); !ok {
		t.Error("the key is not an RSA key although cipher suites are chosen")
	}
}

// BenchmarkSelfSign is a CA and a certificate, ours and the library's.
func BenchmarkSelfSign(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := selfSign(time.Now(), servingLifetime, []string{"localhost"}, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := certutil.GenerateSelfSignedCertKey("localhost", nil, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
