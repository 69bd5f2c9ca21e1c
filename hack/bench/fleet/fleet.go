// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
	"github.com/metrics-apiserver/metrics-apiserver/hack/pki"
)

// Fleet is the kubelets of all nodes of a world.
type Fleet struct {
	world        world.World
	nodes        []*node
	certificates []tls.Certificate
	counts       counts
	recording    *Recording
	bodies       sync.Pool // of *[]byte
	compressors  sync.Pool // of *gzip.Writer
}

// New is the kubelets of a world, with certificates of ca for their addresses.
// Where there is no recording, they have no sources of custom metrics.
func New(w world.World, ca *pki.CA, recording *Recording) (*Fleet, error) {
	f := &Fleet{world: w, recording: recording}
	f.bodies.New = func() any { return new([]byte) }
	f.compressors.New = func() any { return newCompressor() }
	now := time.Now().UnixMilli()
	for i := range w.Nodes {
		certPEM, keyPEM, err := ca.Server("system:node:"+w.Node(i), w.Address(i).String())
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			return nil, fmt.Errorf("load the certificate of %s: %w", w.Node(i), err)
		}
		f.nodes = append(f.nodes, newNode(w, i, now))
		f.certificates = append(f.certificates, pair)
	}
	return f, nil
}

// Replace ends a pod and starts the given one in its place.
func (f *Fleet) Replace(pod world.Pod) error {
	if pod.Index < 0 || pod.Index >= f.world.TotalPods() {
		return fmt.Errorf("replace pod %d: there are %d", pod.Index, f.world.TotalPods())
	}
	f.nodes[pod.Node].replace(pod, time.Now().UnixMilli())
	return nil
}

// Listen makes the one listener of all kubelets, on any free port where port is
// 0. It takes connections to loopback addresses only.
func Listen(ctx context.Context, port int) (net.Listener, error) {
	// Only the wildcard covers all addresses of the range.
	l, err := new(net.ListenConfig).Listen(ctx, "tcp4", fmt.Sprintf("0.0.0.0:%d", port))
	if err != nil {
		return nil, fmt.Errorf("listen for all kubelets: %w", err)
	}
	return loopbackListener{l}, nil
}

// loopbackListener closes connections that were made to another address.
type loopbackListener struct{ net.Listener }

func (l loopbackListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if addressOf(conn.LocalAddr()).IsLoopback() {
			return conn, nil
		}
		_ = conn.Close()
	}
}

// Serve answers on a listener of [Listen] until ctx ends. It returns when all
// connections are closed.
func (f *Fleet) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           f,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: f.certificate},
		ReadHeaderTimeout: time.Minute,
		ConnState:         f.counts.connState,
		ErrorLog:          log.New(io.Discard, "", 0),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve as kubelets: %w", err)
	}
	return nil
}

// certificate is that of the kubelet that was dialed.
func (f *Fleet) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	node, ok := f.world.NodeAt(addressOf(hello.Conn.LocalAddr()))
	if !ok {
		return nil, fmt.Errorf("no kubelet has the address %v", hello.Conn.LocalAddr())
	}
	return &f.certificates[node], nil
}

// addressOf is the IP address of a TCP address, or the zero address.
func addressOf(addr net.Addr) netip.Addr {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// counts is what a Fleet counts.
type counts struct {
	resource, summary, cadvisor, bytes, sent, accepted atomic.Int64
	open                                               atomic.Int64
}

func (c *counts) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.accepted.Add(1)
		c.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.open.Add(-1)
	case http.StateActive, http.StateIdle:
	}
}
