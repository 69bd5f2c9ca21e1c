// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/transport"
	"k8s.io/klog/v2"
)

// trust is whom we believe and who we are: the certificate authorities and the
// client certificate, read again when their files change.
//
// There is no goroutine that watches: whoever is about to send a request looks,
// at most once an interval. A change gives a new generation, and a connection
// of an older one is replaced before it is used again, so that every node sees
// the new certificate, and is judged by the new authorities, within one scrape.
type trust struct {
	insecure bool
	files    [3]pemFile // indexed by caPEM, certPEM, keyPEM
	// callback gives the client certificate where a plugin makes it; nil else.
	callback func() (*tls.Certificate, error)
	interval time.Duration
	counts   *counts
	current  atomic.Pointer[identity]

	mu struct {
		sync.Mutex
		checked   time.Time
		lastError string
	}
}

// identity is one generation of trust. It is immutable.
type identity struct {
	generation uint64
	pem        [3][]byte
	roots      *x509.CertPool   // nil: the system's
	cert       *tls.Certificate // nil: none
}

const (
	caPEM = iota
	certPEM
	keyPEM
)

// pemFile is PEM data, or where it is read from; data goes before the path.
type pemFile struct {
	path string
	data []byte
}

func (f pemFile) read() ([]byte, error) {
	if len(f.data) > 0 || f.path == "" {
		return f.data, nil
	}
	data, err := os.ReadFile(f.path)
	if err == nil && len(data) == 0 {
		err = fmt.Errorf("%s is empty", f.path)
	}
	return data, err
}

// newTrust reads everything once; what cannot be read then is an error.
func newTrust(config *transport.Config, interval time.Duration, counts *counts) (*trust, error) {
	t := &trust{
		insecure: config.TLS.Insecure,
		files: [3]pemFile{
			caPEM:   {config.TLS.CAFile, config.TLS.CAData},
			certPEM: {config.TLS.CertFile, config.TLS.CertData},
			keyPEM:  {config.TLS.KeyFile, config.TLS.KeyData},
		},
		interval: interval,
		counts:   counts,
	}
	if t.insecure && config.HasCA() {
		return nil, errors.New("certificate authorities are given, and certificates are not to be verified: leave one out")
	}
	if config.HasCertCallback() {
		t.callback = config.TLS.GetCertHolder.GetCert
	}
	first, err := t.load(&identity{})
	if err != nil {
		return nil, err
	}
	t.current.Store(first)
	t.mu.checked = time.Now()
	return t, nil
}

// load reads all files. It returns old where they say what they said before.
func (t *trust) load(old *identity) (*identity, error) {
	next := &identity{generation: old.generation + 1}
	same := old.generation > 0
	for i, f := range t.files {
		data, err := f.read()
		if err != nil {
			return nil, fmt.Errorf("read certificates: %w", err)
		}
		next.pem[i] = data
		same = same && bytes.Equal(data, old.pem[i])
	}
	if same {
		return old, nil
	}
	if ca := next.pem[caPEM]; len(ca) > 0 {
		next.roots = x509.NewCertPool()
		if !next.roots.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("read certificate authority %s: no certificate in it", t.files[caPEM].path)
		}
	}
	if len(next.pem[certPEM]) > 0 || len(next.pem[keyPEM]) > 0 {
		cert, err := tls.X509KeyPair(next.pem[certPEM], next.pem[keyPEM])
		if err != nil {
			return nil, fmt.Errorf("read client certificate %s: %w", t.files[certPEM].path, err)
		}
		next.cert = &cert
	}
	return next, nil
}

// refresh is the newest identity. It looks at the files at most once an
// interval; where they are bad, as in the middle of a swap, the old ones stay.
func (t *trust) refresh(ctx context.Context, now time.Time) *identity {
	if !t.mu.TryLock() {
		return t.current.Load() // Another request is looking right now.
	}
	defer t.mu.Unlock()
	if now.Sub(t.mu.checked) < t.interval {
		return t.current.Load()
	}
	t.mu.checked = now
	old := t.current.Load()
	next, err := t.load(old)
	switch {
	case err != nil:
		t.counts.reloadsFailed.Add(1)
		// The same trouble again is no news.
		if err.Error() != t.mu.lastError {
			t.mu.lastError = err.Error()
			klog.FromContext(ctx).Error(err, "Certificates for the nodes cannot be reloaded, the old ones stay in use")
		}
		return old
	case next != old:
		t.counts.reloads.Add(1)
		t.current.Store(next)
		klog.FromContext(ctx).Info("Reloaded the certificates for the nodes")
	}
	t.mu.lastError = ""
	return next
}

// config is the TLS configuration for a connection to host, an address of node.
func (t *trust) config(id *identity, host, node string) *tls.Config {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		// Sent to the node where it is a name, so that it can choose.
		ServerName: host,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return t.clientCertificate(id)
		},
		// Not ours to leave out, but verify does it: crypto/tls would accept
		// one name only.
		InsecureSkipVerify: true,
	}
	if !t.insecure {
		config.VerifyConnection = func(state tls.ConnectionState) error {
			return verify(state, id.roots, host, node)
		}
	}
	return config
}

func (t *trust) clientCertificate(id *identity) (*tls.Certificate, error) {
	if id.cert != nil {
		return id.cert, nil
	}
	if t.callback != nil {
		cert, err := t.callback()
		if cert != nil || err != nil {
			return cert, err
		}
	}
	return &tls.Certificate{}, nil // None.
}

// verify accepts a certificate whose chain ends in one of roots (nil: the
// system's), that is valid now and meant for servers, and that is issued for
// the address that was dialed or, failing that, for the node's name.
//
// The name is accepted because many clusters' kubelet certificates name the
// node only, while its IP address is what can be dialed. It is not weaker than
// what kube-apiserver does as a client of kubelets: that too takes the address
// from the Node object and demands a certificate for it, and the Node object's
// name is the more trustworthy of the two. It is what kube-apiserver's
// authorization and the signer of kubelet certificates tie a node to, and no
// other node is given a certificate for it, whereas addresses are what the node
// itself reports, and are used again by other machines.
func verify(state tls.ConnectionState, roots *x509.CertPool, host, node string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the node presented no certificate")
	}
	leaf := state.PeerCertificates[0]
	options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, cert := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(cert)
	}
	if _, err := leaf.Verify(options); err != nil {
		return err
	}
	err := leaf.VerifyHostname(host)
	if err == nil || leaf.VerifyHostname(node) == nil {
		return nil
	}
	return fmt.Errorf("certificate is neither for the address nor for the node's name %q: %w", node, err)
}
