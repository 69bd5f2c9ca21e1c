// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelettest

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Options of a Server.
type Options struct {
	// Authority issues the kubelets' certificates. nil is plain HTTP.
	Authority *Authority
	// ClientAuthority issues the certificates that clients must have. nil is:
	// none is asked for.
	ClientAuthority *Authority
	// Network is where the kubelets listen; nil is the machine's loopback.
	Network *Network
}

// Server is any number of kubelets. It is safe for concurrent use.
type Server struct {
	t       testing.TB
	options Options
}

// NewServer is a server without kubelets. They end with the test.
func NewServer(t testing.TB, options Options) *Server {
	return &Server{t: t, options: options}
}

// Kubelet is one node's kubelet. It is safe for concurrent use.
type Kubelet struct {
	// Name is the node's.
	Name string
	// Host and Port are where it listens.
	Host string
	Port int

	server  *Server
	handler *http.Server
	done    chan struct{}

	mu struct {
		sync.Mutex
		cert     tls.Certificate
		usage    Usage
		fault    Fault
		requests map[string]int
		answered map[string]time.Time
		last     *http.Request
		listener net.Listener
		conns    map[net.Conn]struct{}
		opened   int
	}
}

// Start starts a kubelet at host, an IP address of the loopback range, or any
// name in a Network; empty is 127.0.0.1. Its certificate is for host and a day, unless
// SetCertificate says otherwise.
func (s *Server) Start(name, host string) *Kubelet {
	s.t.Helper()
	if host == "" {
		host = "127.0.0.1"
	}
	k := &Kubelet{Name: name, Host: host, server: s}
	k.mu.requests = map[string]int{}
	k.mu.answered = map[string]time.Time{}
	k.mu.conns = map[net.Conn]struct{}{}
	if s.options.Authority != nil {
		k.mu.cert = s.options.Authority.Serving(s.t, 24*time.Hour, host)
	}
	k.Resume()
	s.t.Cleanup(k.Stop)
	return k
}

// Resume makes a stopped kubelet listen again, at the same address.
func (k *Kubelet) Resume() {
	k.server.t.Helper()
	listen := func(address string) (net.Listener, error) { return net.Listen("tcp", address) }
	if k.server.options.Network != nil {
		listen = k.server.options.Network.Listen
		if k.Port == 0 {
			k.Port = 10250
		}
	}
	listener, err := listen(net.JoinHostPort(k.Host, strconv.Itoa(k.Port)))
	if err != nil {
		k.server.t.Fatalf("start kubelet %s: %v", k.Name, err)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok {
		k.Port = tcp.Port
	}
	k.handler = &http.Server{
		Handler:           http.HandlerFunc(k.serve),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0),
		ConnState:         k.track,
	}
	k.mu.Lock()
	k.mu.listener = listener
	k.mu.Unlock()
	if k.server.options.Authority != nil {
		listener = tls.NewListener(listener, k.tlsConfig())
	}
	done := make(chan struct{})
	k.done = done
	go func(handler *http.Server) {
		defer close(done)
		_ = handler.Serve(listener)
	}(k.handler)
}

// Stop makes the kubelet go away: its address refuses connections, and those
// that are open end. It returns when nothing of it runs.
func (k *Kubelet) Stop() {
	k.mu.Lock()
	listening := k.mu.listener != nil
	k.mu.listener = nil
	k.mu.Unlock()
	if listening {
		_ = k.handler.Close()
		<-k.done
	}
}

// Address is where it listens, host:port.
func (k *Kubelet) Address() string { return net.JoinHostPort(k.Host, strconv.Itoa(k.Port)) }

// SetUsage sets what the node uses from now on.
func (k *Kubelet) SetUsage(u Usage) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mu.usage = u
}

// SetFault sets what goes wrong from the next request on.
func (k *Kubelet) SetFault(f Fault) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mu.fault = f
}

// SetCertificate sets what it presents on new connections.
func (k *Kubelet) SetCertificate(cert tls.Certificate) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mu.cert = cert
}

// Requests is how often a path was asked for.
func (k *Kubelet) Requests(path string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mu.requests[path]
}

// Answered is when the newest answer of a path was written, or given up.
func (k *Kubelet) Answered(path string) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mu.answered[path]
}

// LastRequest is the newest request, nil before the first. Its body must not
// be read.
func (k *Kubelet) LastRequest() *http.Request {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mu.last
}

// Connections is how many connections are open, and how many were opened in
// all. A connection counts when its handshake begins.
func (k *Kubelet) Connections() (open, opened int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.mu.conns), k.mu.opened
}

func (k *Kubelet) track(conn net.Conn, state http.ConnState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch state {
	case http.StateNew:
		k.mu.conns[conn] = struct{}{}
		k.mu.opened++
	case http.StateClosed, http.StateHijacked:
		delete(k.mu.conns, conn)
	default:
	}
}

func (k *Kubelet) tlsConfig() *tls.Config {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		// What a kubelet offers.
		NextProtos: []string{"h2", "http/1.1"},
		// A connection without buffers would block on a ticket that the client
		// does not read before it has sent its request.
		SessionTicketsDisabled: k.server.options.Network != nil,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			cert := k.mu.cert
			return &cert, nil
		},
	}
	if k.server.options.ClientAuthority != nil {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		config.ClientCAs = k.server.options.ClientAuthority.Pool()
	}
	return config
}
