// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package servingca

import (
	"crypto/x509"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

var _ dynamiccertificates.CertKeyContentProvider = (*Certificate)(nil)

// Certificate is the serving certificate of this process. A generic API server
// that has it as its certificate takes up every new one for the next handshake;
// connections that exist go on.
//
// It is no dynamiccertificates.ControllerRunner: a generic server would run it
// and not wait for its end. [Keeper.Run] renews it.
type Certificate struct {
	name    string
	current atomic.Pointer[issued]

	mu struct {
		sync.Mutex
		listeners []dynamiccertificates.Listener
	}
}

// issued is a serving certificate, with who signed it. It does not change.
type issued struct {
	signer          *authority
	cert            *x509.Certificate
	certPEM, keyPEM []byte
	renew           time.Time
}

// Name is dynamiccertificates.CertKeyContentProvider's.
func (c *Certificate) Name() string { return c.name }

// CurrentCertKeyContent is dynamiccertificates.CertKeyContentProvider's. It is
// empty until the first certificate is made; until then handshakes fail.
func (c *Certificate) CurrentCertKeyContent() (certPEM, keyPEM []byte) {
	if current := c.current.Load(); current != nil {
		return current.certPEM, current.keyPEM
	}
	return nil, nil
}

// AddListener is dynamiccertificates.Notifier's: the listener is told of every
// certificate from now on.
func (c *Certificate) AddListener(listener dynamiccertificates.Listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.listeners = append(c.mu.listeners, listener)
}

// ensure makes a new certificate where there is none of that signer, or where it
// is time to renew the one there is. It returns when that is next.
func (c *Certificate) ensure(signer *authority, names []string, now time.Time) (renew time.Time, renewed bool, err error) {
	current := c.current.Load()
	if current != nil && current.signer.equal(signer) && validAt(current.cert, now) && now.Before(current.renew) {
		return current.renew, false, nil
	}
	next := &issued{signer: signer}
	if next.cert, next.certPEM, next.keyPEM, err = signer.issue(now, names); err != nil {
		return time.Time{}, false, err
	}
	// Of the time that is left: the backdating is no part of it.
	next.renew = now.Add(next.cert.NotAfter.Sub(now) / 3 * 2)
	c.current.Store(next)
	c.mu.Lock()
	listeners := c.mu.listeners
	c.mu.Unlock()
	for _, listener := range listeners {
		listener.Enqueue()
	}
	return next.renew, true, nil
}
