// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package floor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"

	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

// Transport is a way to get documents.
type Transport string

// The transports.
const (
	// HTTP1 is net/http over HTTP/1.1, HTTP2 over HTTP/2.
	HTTP1 Transport = "http1"
	HTTP2 Transport = "http2"
	// NodeClient is pkg/scraper/nodeclient.
	NodeClient Transport = "nodeclient"
)

// Transports are all transports.
func Transports() []Transport { return []Transport{HTTP1, HTTP2, NodeClient} }

// connector returns how to make the getter of a node.
func (o Options) connector() (func(node int) getter, error) {
	switch o.Transport {
	case HTTP1, HTTP2:
		return o.standard()
	case NodeClient:
		return o.product()
	}
	return nil, fmt.Errorf("there is no transport %q (there are %v)", o.Transport, Transports())
}

// standard is the standard library's client, one for all nodes. It asks for no
// compression: on one machine, bytes are cheaper than their compression.
func (o Options) standard() (func(node int) getter, error) {
	token, err := o.token()
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the kubelets' authority: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(o.Transport == HTTP1)
	protocols.SetHTTP2(o.Transport == HTTP2)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:    &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool},
		Protocols:          protocols,
		DisableCompression: true,
	}}
	return func(node int) getter {
		address := net.JoinHostPort(o.World.Address(node).String(), strconv.Itoa(o.Port))
		return &standardGetter{client: client, server: "https://" + address, authorization: "Bearer " + token}
	}, nil
}

type standardGetter struct {
	client                *http.Client
	server, authorization string
}

func (g *standardGetter) get(ctx context.Context, path, query string) error {
	url := g.server + path
	if query != "" {
		url += "?" + query
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", g.authorization)
	resp, err := g.client.Do(request)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("node answered %s", resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// product is the product's client.
func (o Options) product() (func(node int) getter, error) {
	client, err := nodeclient.New(nodeclient.Options{Config: &rest.Config{
		TLSClientConfig: rest.TLSClientConfig{CAFile: o.CAFile},
		BearerTokenFile: o.TokenFile,
	}})
	if err != nil {
		return nil, err
	}
	return func(node int) getter {
		return &productGetter{client.Conn(nodeclient.Endpoint{
			Node: o.World.Node(node), Scheme: "https", Hosts: []string{o.World.Address(node).String()}, Port: o.Port,
		})}
	}, nil
}

type productGetter struct{ conn *nodeclient.Conn }

func (g *productGetter) get(ctx context.Context, path, query string) error {
	answer, err := g.conn.Get(ctx, path, query)
	if err != nil {
		return err
	}
	answer.Release()
	return nil
}
