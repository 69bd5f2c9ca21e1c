// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"path/filepath"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/rest"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/servingca"
)

// The library makes four RSA keys at every start, a CA's and a server's for clients
// and again for the process itself: a fifth of a second of CPU time on average, and at
// times several times that, before anything else is done. Ours are ECDSA keys, a
// millisecond altogether (BenchmarkSelfSign); all else about the certificates is as the
// library has it.

// Lifetimes of certificates, and how far they are backdated for clocks that are
// behind. Nobody renews them but a restart.
const (
	servingLifetime  = 365 * 24 * time.Hour
	loopbackLifetime = 3 * servingLifetime
	backdated        = time.Hour
)

// selfSign makes a CA that is used once, and a serving certificate for the names with
// its key. certPEM has both certificates, that of the server first.
func selfSign(now time.Time, lifetime time.Duration, names []string, addresses []net.IP) (certPEM, keyPEM []byte, err error) {
	ca, caKey, err := servingca.Sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: fmt.Sprintf("%s-ca@%d", names[0], now.Unix())},
		NotBefore:             now.Add(-backdated),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}, nil, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("make a CA: %w", err)
	}
	cert, key, err := servingca.Sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: fmt.Sprintf("%s@%d", names[0], now.Unix())},
		DNSNames:              names,
		IPAddresses:           addresses,
		NotBefore:             ca.NotBefore,
		NotAfter:              ca.NotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}, ca, caKey)
	if err != nil {
		return nil, nil, fmt.Errorf("make a serving certificate: %w", err)
	}
	if certPEM, err = certutil.EncodeCertificates(cert, ca); err != nil {
		return nil, nil, fmt.Errorf("encode a serving certificate: %w", err)
	}
	if keyPEM, err = keyutil.MarshalPrivateKeyToPEM(key); err != nil {
		return nil, nil, fmt.Errorf("encode the key of a serving certificate: %w", err)
	}
	return certPEM, keyPEM, nil
}

// provideCertificate sees to it that there is a serving certificate: that of the
// flags, that which --cert-dir has, or a new one, kept there.
func (o *options) provideCertificate(now time.Time) error {
	cert := &o.serving.ServerCert
	if cert.GeneratedCert != nil {
		return nil
	}
	names, addresses := []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	given := cert.CertKey.CertFile != "" || cert.CertKey.KeyFile != ""
	serves := o.serving.BindPort != 0 || o.serving.Listener != nil
	// Who chooses cipher suites may have chosen none with which a client of TLS 1.2
	// takes an ECDSA key.
	if serves && !given && len(o.serving.CipherSuites) == 0 && cert.CertDirectory != "" && cert.PairName != "" && cert.FixtureDirectory == "" {
		pair := filepath.Join(cert.CertDirectory, cert.PairName)
		there, err := certutil.CanReadCertAndKey(pair+".crt", pair+".key")
		if err != nil {
			return fmt.Errorf("read the serving certificate in --cert-dir: %w", err)
		}
		if !there {
			more := addresses
			if !o.serving.BindAddress.IsUnspecified() {
				more = append(more, o.serving.BindAddress)
			}
			certPEM, keyPEM, err := selfSign(now, servingLifetime, names, more)
			if err != nil {
				return err
			}
			if err := certutil.WriteCert(pair+".crt", certPEM); err != nil {
				return fmt.Errorf("keep the serving certificate in --cert-dir: %w", err)
			}
			if err := keyutil.WriteKey(pair+".key", keyPEM); err != nil {
				return fmt.Errorf("keep the serving certificate's key in --cert-dir: %w", err)
			}
		}
	}
	if err := o.serving.MaybeDefaultWithSelfSignedCerts(names[0], nil, addresses); err != nil {
		return fmt.Errorf("make a serving certificate in --cert-dir: %w", err)
	}
	return nil
}

// loopback is how the process reaches itself, by a certificate and a token that
// nobody else has; nil where it does not serve. The library's, see
// SecureServingOptionsWithLoopback, but for the kind of key.
func loopback(now time.Time, serving *genericapiserver.SecureServingInfo) (*rest.Config, error) {
	if serving == nil {
		return nil, nil
	}
	const name = genericapiserver.LoopbackClientServerNameOverride
	certPEM, keyPEM, err := selfSign(now, loopbackLifetime, []string{name}, nil)
	if err != nil {
		return nil, err
	}
	provider, err := dynamiccertificates.NewStaticSNICertKeyContent("self-signed loopback", certPEM, keyPEM, name)
	if err != nil {
		return nil, fmt.Errorf("take the loopback certificate: %w", err)
	}
	// First, so that no other certificate for the same name comes before it.
	serving.SNICerts = append([]dynamiccertificates.SNICertKeyContentProvider{provider}, serving.SNICerts...)
	config, err := serving.NewLoopbackClientConfig(rand.Text(), certPEM)
	if err != nil {
		return nil, fmt.Errorf("make the loopback client: %w", err)
	}
	return config, nil
}
