// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sigv4

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// Options say who signs what.
type Options struct {
	// Region is where the service is; empty is that of the environment.
	Region string
	// Service is the service's name; empty is aps, Managed Service for Prometheus.
	Service string
	// AccessKey and SecretKey are credentials; without them they are the
	// environment's.
	AccessKey, SecretKey string
	// RoleARN is a role that is assumed with the credentials; empty is none.
	// ExternalID and SessionName are said with it, where they are set.
	RoleARN, ExternalID, SessionName string

	// Getenv reads the environment; nil is os.Getenv.
	Getenv func(string) string
	// Client asks for credentials; nil is one that waits for 10 s.
	Client *http.Client
}

func (o Options) withDefaults() Options {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	o.Region = cmp.Or(o.Region, o.Getenv("AWS_REGION"), o.Getenv("AWS_DEFAULT_REGION"))
	o.Service = cmp.Or(o.Service, "aps")
	o.SessionName = cmp.Or(o.SessionName, o.Getenv("AWS_ROLE_SESSION_NAME"), "metrics-apiserver")
	return o
}

// A Transport signs requests.
type Transport struct {
	o    Options
	next http.RoundTripper

	mu struct {
		sync.Mutex
		held Credentials
	}
}

// New is a transport that signs what next is given. Credentials are looked for at the
// first request, which fails where there are none: they may come later.
func New(o Options, next http.RoundTripper) *Transport {
	return &Transport{o: o.withDefaults(), next: next}
}

// RoundTrip is http.RoundTripper's.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	var body []byte
	if request.Body != nil {
		var err error
		if body, err = io.ReadAll(request.Body); err != nil {
			return nil, errors.Join(err, request.Body.Close())
		}
		if err := request.Body.Close(); err != nil {
			return nil, err
		}
	}
	credentials, err := t.credentials(request.Context())
	if err != nil {
		return nil, fmt.Errorf("get credentials to sign with: %w", err)
	}
	// The caller's is not to be changed.
	signed := request.Clone(request.Context())
	signed.Body = io.NopCloser(bytes.NewReader(body))
	signed.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	sign(signed, body, credentials, scope{t.o.Region, t.o.Service}, time.Now())
	return t.next.RoundTrip(signed)
}

// early is how long before their end credentials are fetched anew.
const early = 5 * time.Minute

// credentials are those that are held, or new ones when these are about to end.
// Where there are no new ones, they are used to their end.
func (t *Transport) credentials(ctx context.Context) (Credentials, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	held := t.mu.held
	if held.AccessKey != "" && (held.End.IsZero() || now.Before(held.End.Add(-early))) {
		return held, nil
	}
	get, err := t.o.source()
	if err != nil {
		return Credentials{}, err
	}
	got, err := get(ctx)
	switch {
	case err == nil:
		t.mu.held = got
		return got, nil
	case held.AccessKey != "" && now.Before(held.End):
		return held, nil
	}
	return Credentials{}, err
}
