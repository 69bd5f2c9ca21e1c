// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func TestServerCertificateVerifies(t *testing.T) {
	dir := t.TempDir()
	if _, err := NewCA(dir, "ca"); err != nil {
		t.Fatal(err)
	}
	// Issued by the authority as a later process would load it.
	ca, err := LoadCA(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile, err := ca.WriteServer(dir, "server", "localhost", "127.0.0.1", "::1")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: ca.Pool()}); err != nil {
			t.Errorf("verify for %s: %v", host, err)
		}
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: "elsewhere", Roots: ca.Pool()}); err == nil {
		t.Error("the certificate is good for a host it was not issued for")
	}
	if got := pair.Leaf.IPAddresses; len(got) != 2 || !got[0].Equal(net.IPv4(127, 0, 0, 1)) {
		t.Errorf("IP addresses = %v", got)
	}
}

func TestKubeconfigNamesUserAndGroups(t *testing.T) {
	dir := t.TempDir()
	ca, err := NewCA(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "kubeconfig")
	if err := ca.WriteKubeconfig(file, "https://127.0.0.1:6443", "alice", "dev", "ops"); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://127.0.0.1:6443" {
		t.Errorf("host = %q", config.Host)
	}
	block, _ := pem.Decode(config.CertData)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if s := cert.Subject; s.CommonName != "alice" || len(s.Organization) != 2 {
		t.Errorf("subject = %v, want alice in two groups", s)
	}
	opts := x509.VerifyOptions{Roots: ca.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := cert.Verify(opts); err != nil {
		t.Errorf("verify as a client: %v", err)
	}
}

func TestPrivateKeysAreNotReadableByOthers(t *testing.T) {
	dir := t.TempDir()
	ca, err := NewCA(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	_, clientKey, err := ca.WriteClient(dir, "client", "alice")
	if err != nil {
		t.Fatal(err)
	}
	_, signingKey, err := WriteKeyPair(dir, "tokens")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{ca.KeyFile, clientKey, signingKey} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", filepath.Base(file), mode)
		}
	}
}

func TestLoadCARefusesGarbage(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"ca.crt", "ca.key"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("not PEM"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := LoadCA(dir, "ca"); err == nil {
		t.Error("garbage was loaded as an authority")
	}
}
