// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"k8s.io/client-go/rest"
)

// Options of a Client.
type Options struct {
	// Config has the credentials and what to trust; see Access. It is not
	// written, and must not be written afterwards. nil is: no credentials, and
	// the system's certificate authorities.
	Config *rest.Config

	// DialTimeout is the longest time to connect to one address; an address
	// that others follow gets less where the request's time is short. 0 is 3 s.
	DialTimeout time.Duration
	// MaxHandshakes is how many TLS handshakes may go on at once. They are
	// nearly all of the CPU time of a start with many nodes; more of them at
	// once would only all be late, up to their requests' timeouts. 0 is 32.
	MaxHandshakes int
	// MaxConnections is how many connections may be open at once; one that is being made
	// counts as two, and whoever finds no room fails. Seven eighths of them, but at most
	// all but two, are kept between requests. While more are open, each is closed after its
	// answer, so that every node has its turn, and shakes hands for it. 0 is no bound.
	MaxConnections int
	// ReloadInterval is how often the files of the certificate authority and
	// of the client certificate are looked at. 0 is 10 s.
	ReloadInterval time.Duration

	// MaxHeaderBytes bounds the status line and the header of an answer. 0 is
	// 64 KiB.
	MaxHeaderBytes int64
	// MaxBodyBytes bounds a body, as it is after decompression. 0 is 16 MiB.
	MaxBodyBytes int64
	// MaxCompressedBytes bounds a compressed body as it comes over the wire. 0
	// is 8 MiB.
	MaxCompressedBytes int64
	// MaxInFlightBytes bounds the memory of all bodies that are being read, or
	// were read and not released. A body that needs more waits, within its
	// request's time; the largest of all yields to a smaller one. At least
	// twice MaxBodyBytes and 2 MiB. 0 is 48 MiB.
	MaxInFlightBytes int64

	// AcceptGzip asks nodes to compress their answers. The default is not to:
	// a cluster's network is cheaper than the CPU of both sides.
	AcceptGzip bool

	// Dial connects to an address; nil is the operating system's way. It is
	// for tests that bring a network of their own.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (o Options) withDefaults() Options {
	if o.Config == nil {
		o.Config = &rest.Config{}
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = 3 * time.Second
	}
	if o.MaxHandshakes == 0 {
		o.MaxHandshakes = 32
	}
	if o.ReloadInterval == 0 {
		o.ReloadInterval = 10 * time.Second
	}
	for _, bound := range []struct {
		field *int64
		value int64
	}{
		{&o.MaxHeaderBytes, 64 << 10},
		{&o.MaxBodyBytes, 16 << 20},
		{&o.MaxCompressedBytes, 8 << 20},
		{&o.MaxInFlightBytes, 48 << 20},
	} {
		if *bound.field == 0 {
			*bound.field = bound.value
		}
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return o
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	var errs []error
	for _, bound := range []struct {
		name  string
		value int64
	}{
		{"DialTimeout", int64(o.DialTimeout)},
		{"MaxHandshakes", int64(o.MaxHandshakes)},
		{"MaxConnections", int64(o.MaxConnections)},
		{"ReloadInterval", int64(o.ReloadInterval)},
		{"MaxHeaderBytes", o.MaxHeaderBytes},
		{"MaxBodyBytes", o.MaxBodyBytes},
		{"MaxCompressedBytes", o.MaxCompressedBytes},
		{"MaxInFlightBytes", o.MaxInFlightBytes},
	} {
		if bound.value < 0 {
			errs = append(errs, fmt.Errorf("%s is %d: must not be negative", bound.name, bound.value))
		}
	}
	full := o.withDefaults()
	// A body of more than one chunk is held twice while it is put together.
	if least := 2*full.MaxBodyBytes + 2*maxChunk; full.MaxInFlightBytes < least {
		errs = append(errs, fmt.Errorf("MaxInFlightBytes is %d: must be at least twice MaxBodyBytes and 2 MiB, which is %d", full.MaxInFlightBytes, least))
	}
	if o.Config != nil && o.Config.Transport != nil {
		errs = append(errs, errors.New("Config.Transport is set: a transport of its own is not supported"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("node client options: %w", err)
	}
	return nil
}
