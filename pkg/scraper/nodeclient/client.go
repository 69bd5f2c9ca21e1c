// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/transport"
)

// Client is what the connections to all nodes share. It is safe for concurrent
// use and needs no closing.
type Client struct {
	options     Options
	credentials bool
	trust       *trust
	header      http.Header       // of requests, without what wrappers add; not written
	fields      *requestFields    // nil: wrapped must see each request
	wrapped     http.RoundTripper // nil: fields has what wrappers add
	budget      *budget
	bodies      *bodies
	counts      counts
	handshakes  chan struct{} // has an element for each that goes on
	open        open
	readers     sync.Pool // of *bufio.Reader
	writers     sync.Pool // of *bytes.Buffer
	records     sync.Pool // of *recordBuffer
}

// New reads the credentials and makes a client. It starts nothing.
func New(options Options) (*Client, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	options = options.withDefaults()
	config, err := options.Config.TransportConfig()
	if err != nil {
		return nil, fmt.Errorf("node client: %w", err)
	}
	c := &Client{options: options, credentials: hasCredentials(options.Config)}
	c.open.bound = int64(options.MaxConnections)
	c.handshakes = make(chan struct{}, options.MaxHandshakes)
	c.budget = newBudget(options.MaxInFlightBytes)
	c.bodies = &bodies{options: &c.options, budget: c.budget, counts: &c.counts}
	c.readers.New = func() any { return bufio.NewReaderSize(nil, 4<<10) }
	c.writers.New = func() any { return new(bytes.Buffer) }
	c.records.New = func() any { return new(recordBuffer) }
	if c.trust, err = newTrust(config, options.ReloadInterval, &c.counts); err != nil {
		return nil, fmt.Errorf("node client: %w", err)
	}
	if err := c.wrap(config); err != nil {
		return nil, fmt.Errorf("node client: %w", err)
	}
	return c, nil
}

// wrap makes client-go's wrappers, which are asked once a second or for each
// request.
func (c *Client) wrap(config *transport.Config) (err error) {
	c.header = http.Header{
		"Accept":          {"text/plain;version=0.0.4,application/json;q=0.9,*/*;q=0.1"},
		"Accept-Encoding": {"identity"},
	}
	if c.options.AcceptGzip {
		c.header["Accept-Encoding"] = []string{"gzip"}
	}
	if wrappersSeeEach(config) {
		c.wrapped, err = transport.HTTPWrappersForConfig(config, roundTripper{})
	} else {
		c.fields, err = newRequestFields(config, c.header)
	}
	return err
}

// Conn is a connection to a node. It dials when it is first used.
func (c *Client) Conn(endpoint Endpoint) *Conn {
	return &Conn{client: c, endpoint: endpoint}
}

// Insecure says whether nodes' certificates are not verified.
func (c *Client) Insecure() bool { return c.trust.insecure }

// HasCredentials says whether requests carry credentials.
func (c *Client) HasCredentials() bool { return c.credentials }

// counts is what a Client counts.
type counts struct {
	connections, unverified                                   atomic.Uint64
	reloads, reloadsFailed                                    atomic.Uint64
	headerTooLarge, bodyTooLarge, compressedTooLarge, noShare atomic.Uint64
	noConnection                                              atomic.Uint64
}

// Counts is how often things happened since the client was made.
type Counts struct {
	// Connections is how many connections were opened, Unverified how many of
	// them over TLS without verifying the node's certificate.
	Connections, Unverified uint64
	// Reloads is how often certificates changed on disk, ReloadsFailed how
	// often they could not be read.
	Reloads, ReloadsFailed uint64
	// HeaderTooLarge, BodyTooLarge, CompressedTooLarge, NoShare and NoConnection count
	// the requests that failed for the bound of that name in Options.
	HeaderTooLarge, BodyTooLarge, CompressedTooLarge, NoShare, NoConnection uint64
	// InFlightBytes is the memory that bodies take right now.
	InFlightBytes int64
}

// Counts is how often things happened.
func (c *Client) Counts() Counts {
	return Counts{
		Connections: c.counts.connections.Load(), Unverified: c.counts.unverified.Load(),
		Reloads: c.counts.reloads.Load(), ReloadsFailed: c.counts.reloadsFailed.Load(),
		HeaderTooLarge: c.counts.headerTooLarge.Load(), BodyTooLarge: c.counts.bodyTooLarge.Load(),
		CompressedTooLarge: c.counts.compressedTooLarge.Load(), NoShare: c.counts.noShare.Load(),
		NoConnection:  c.counts.noConnection.Load(),
		InFlightBytes: c.budget.inUse(),
	}
}
