// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// lifetime is how long a certificate is valid.
	lifetime = 365 * 24 * time.Hour
	// backdate makes certificates valid on machines whose clock is behind.
	backdate = time.Hour
)

// CA is a certificate authority. Its methods are safe for concurrent use.
type CA struct {
	// CertFile is the path of the CA's certificate.
	CertFile string
	// KeyFile is the path of the CA's private key.
	KeyFile string

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes an authority and writes it to dir/name.crt and dir/name.key.
func NewCA(dir, name string) (*CA, error) {
	ca := &CA{CertFile: filepath.Join(dir, name+".crt"), KeyFile: filepath.Join(dir, name+".key")}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign,
	}
	certPEM, keyPEM, err := sign(template, nil)
	if err == nil {
		err = writePair(ca.CertFile, certPEM, ca.KeyFile, keyPEM)
	}
	if err == nil {
		err = ca.parse(certPEM, keyPEM)
	}
	if err != nil {
		return nil, fmt.Errorf("make certificate authority %s: %w", name, err)
	}
	return ca, nil
}

// LoadCA reads the authority that [NewCA] wrote.
func LoadCA(dir, name string) (*CA, error) {
	ca := &CA{CertFile: filepath.Join(dir, name+".crt"), KeyFile: filepath.Join(dir, name+".key")}
	certPEM, err := os.ReadFile(ca.CertFile)
	if err != nil {
		return nil, fmt.Errorf("load certificate authority %s: %w", name, err)
	}
	keyPEM, err := os.ReadFile(ca.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("load certificate authority %s: %w", name, err)
	}
	if err := ca.parse(certPEM, keyPEM); err != nil {
		return nil, fmt.Errorf("load certificate authority %s: %w", name, err)
	}
	return ca, nil
}

func (ca *CA) parse(certPEM, keyPEM []byte) error {
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return errors.New("no PEM block in file")
	}
	var err error
	if ca.cert, err = x509.ParseCertificate(certBlock.Bytes); err != nil {
		return fmt.Errorf("parse certificate: %w", err)
	}
	if ca.key, err = x509.ParseECPrivateKey(keyBlock.Bytes); err != nil {
		return fmt.Errorf("parse private key: %w", err)
	}
	return nil
}

// CertPEM returns the CA's certificate, as a CA bundle needs it.
func (ca *CA) CertPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
}

// Pool returns a pool that trusts this CA alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// Client issues a certificate for a client. To Kubernetes the user is its user
// name and the groups are its groups.
func (ca *CA) Client(user string, groups ...string) (certPEM, keyPEM []byte, err error) {
	certPEM, keyPEM, err = sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca)
	if err != nil {
		return nil, nil, fmt.Errorf("issue client certificate for %s: %w", user, err)
	}
	return certPEM, keyPEM, nil
}

// ExpiredClient issues as [CA.Client] does, a certificate that ended a minute ago.
func (ca *CA) ExpiredClient(user string, groups ...string) (certPEM, keyPEM []byte, err error) {
	certPEM, keyPEM, err = sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		NotAfter:    time.Now().Add(-time.Minute),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca)
	if err != nil {
		return nil, nil, fmt.Errorf("issue an expired client certificate for %s: %w", user, err)
	}
	return certPEM, keyPEM, nil
}

// Server issues a certificate for a server that is reached by the hosts, each a
// DNS name or an IP address. It is good for a client too, as etcd and kubelets
// need it.
func (ca *CA) Server(name string, hosts ...string) (certPEM, keyPEM []byte, err error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	certPEM, keyPEM, err = sign(template, ca)
	if err != nil {
		return nil, nil, fmt.Errorf("issue server certificate for %s: %w", name, err)
	}
	return certPEM, keyPEM, nil
}

// WriteClient issues as [CA.Client] does, to dir/name.crt and dir/name.key, and
// returns the two paths.
func (ca *CA) WriteClient(dir, name, user string, groups ...string) (certFile, keyFile string, err error) {
	certPEM, keyPEM, err := ca.Client(user, groups...)
	if err != nil {
		return "", "", err
	}
	certFile, keyFile = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	return certFile, keyFile, writePair(certFile, certPEM, keyFile, keyPEM)
}

// WriteServer issues as [CA.Server] does, to dir/name.crt and dir/name.key, and
// returns the two paths.
func (ca *CA) WriteServer(dir, name string, hosts ...string) (certFile, keyFile string, err error) {
	certPEM, keyPEM, err := ca.Server(name, hosts...)
	if err != nil {
		return "", "", err
	}
	certFile, keyFile = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	return certFile, keyFile, writePair(certFile, certPEM, keyFile, keyPEM)
}

// WriteKeyPair writes a bare signing key and its public half, such as
// Kubernetes needs for service account tokens, and returns the two paths.
func WriteKeyPair(dir, name string) (publicFile, privateFile string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("make key %s: %w", name, err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", "", fmt.Errorf("make key %s: %w", name, err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return "", "", fmt.Errorf("make key %s: %w", name, err)
	}
	publicFile, privateFile = filepath.Join(dir, name+".pub"), filepath.Join(dir, name+".key")
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	return publicFile, privateFile, writePair(publicFile, publicPEM, privateFile, keyPEM)
}

// sign fills in what all certificates share and signs the template with the
// parent, or with its own new key where there is none.
func sign(template *x509.Certificate, parent *CA) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template.NotBefore = now.Add(-backdate)
	if template.NotAfter.IsZero() {
		template.NotAfter = now.Add(lifetime)
	}
	issuer, issuerKey := template, key
	if parent != nil {
		issuer, issuerKey = parent.cert, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, issuerKey)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err = encodeKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM, err
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

func writePair(certFile string, certPEM []byte, keyFile string, keyPEM []byte) error {
	if err := os.WriteFile(certFile, certPEM, 0o644); err != nil {
		return err
	}
	return os.WriteFile(keyFile, keyPEM, 0o600)
}
