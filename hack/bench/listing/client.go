// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package listing

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Encoding is how an answer is encoded.
type Encoding string

// The encodings that clients ask for.
const (
	JSON     Encoding = "application/json"
	Protobuf Encoding = "application/vnd.kubernetes.protobuf"
)

// Request is one list.
type Request struct {
	// Path has the query, too.
	Path     string
	Encoding Encoding
	// Gzip is to ask for compression.
	Gzip bool
}

// Identity is who asks.
type Identity struct {
	// FrontProxy is the certificate that kube-apiserver shows.
	FrontProxy tls.Certificate
	// User and Groups are who it says that asks.
	User   string
	Groups []string
}

// As is the identity with another user.
func (i Identity) As(user string, groups ...string) Identity {
	i.User, i.Groups = user, groups
	return i
}

// Client asks one server.
type Client struct {
	url      string
	identity Identity
	http     *http.Client
}

// New is a client of the server at url. It connects when it is first used.
func New(url string, identity Identity) *Client {
	return &Client{url: url, identity: identity, http: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{
			MinVersion:   tls.VersionTLS12,
			Certificates: []tls.Certificate{identity.FrontProxy},
			// The servers that are measured sign their certificates themselves.
			InsecureSkipVerify: true,
		},
		ForceAttemptHTTP2:  true,
		DisableCompression: true, // What is sent is what was asked for.
	}}}
}

// Close closes the connection.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Result is how one request went.
type Result struct {
	// Begin and End are the moments when it was sent and when the last byte had
	// come.
	Begin, End time.Time
	// Bytes is the size of the body as it came.
	Bytes int64
}

// Time is how long it took.
func (r Result) Time() time.Duration { return r.End.Sub(r.Begin) }

// Do sends a request and discards the answer's body. An answer other than 200
// is an error.
func (c *Client) Do(ctx context.Context, r Request) (Result, error) {
	return c.send(ctx, r, io.Discard)
}

// Fetch sends a request and returns the answer's body, decompressed.
func (c *Client) Fetch(ctx context.Context, r Request) ([]byte, Result, error) {
	var body bytes.Buffer
	result, err := c.send(ctx, r, &body)
	if err != nil || !r.Gzip || body.Len() < 2 || body.Bytes()[0] != 0x1f || body.Bytes()[1] != 0x8b {
		return body.Bytes(), result, err
	}
	z, err := gzip.NewReader(&body)
	if err != nil {
		return nil, result, fmt.Errorf("decompress %s: %w", r.Path, err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		return nil, result, fmt.Errorf("decompress %s: %w", r.Path, err)
	}
	return plain, result, nil
}

func (c *Client) send(ctx context.Context, r Request, w io.Writer) (result Result, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+r.Path, http.NoBody)
	if err != nil {
		return result, fmt.Errorf("ask for %s: %w", r.Path, err)
	}
	request.Header.Set("Accept", string(r.Encoding))
	if r.Gzip {
		request.Header.Set("Accept-Encoding", "gzip")
	}
	request.Header.Set("X-Remote-User", c.identity.User)
	for _, group := range c.identity.Groups {
		request.Header.Add("X-Remote-Group", group)
	}
	result.Begin = time.Now()
	resp, err := c.http.Do(request)
	if err != nil {
		return result, fmt.Errorf("ask for %s: %w", r.Path, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return result, fmt.Errorf("ask for %s: %s: %s", r.Path, resp.Status, bytes.TrimSpace(text))
	}
	if result.Bytes, err = io.Copy(w, resp.Body); err != nil {
		return result, fmt.Errorf("read %s: %w", r.Path, err)
	}
	result.End = time.Now()
	return result, nil
}
