// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

// exchanged is what became of a request to a node that answers with answer and
// then closes the connection: what the node was sent, and what came of it.
func exchanged(t *testing.T, config *rest.Config, host, query, answer string) (request, result string) {
	t.Helper()
	sent := make(chan string, 1)
	client := newClient(t, nodeclient.Options{
		Config: config,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				var request []byte
				for p := make([]byte, 4096); !bytes.HasSuffix(request, []byte("\r\n\r\n")); {
					n, err := theirs.Read(p)
					if err != nil {
						break
					}
					request = append(request, p[:n]...)
				}
				sent <- string(request)
				_, _ = theirs.Write([]byte(answer))
				_ = theirs.Close()
			}()
			return ours, nil
		},
	})
	conn := client.Conn(nodeclient.Endpoint{Node: "node-1", Scheme: "http", Hosts: []string{host}, Port: 10250})
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := conn.Get(ctx, path, query)
	if err != nil {
		return <-sent, fmt.Sprintf("%s %d, kept: %v", nodeclient.ReasonOf(err), nodeclient.StatusOf(err), conn.Address() != "")
	}
	defer got.Release()
	return <-sent, fmt.Sprintf("%q %v, kept: %v", got.Body, got.Date, conn.Address() != "")
}

// wrapped is config with a wrapper that does nothing, because of which requests
// go the long way: through client-go and net/http.
func wrapped(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(inner http.RoundTripper) http.RoundTripper { return inner })
	return config
}

// TestShortWayIsTheLongWay: the bytes that are sent, and what is made of an
// answer, do not depend on whether wrappers are asked for each request.
func TestShortWayIsTheLongWay(t *testing.T) {
	const good = "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n"
	answers := []string{
		good + "Content-Length: 4\r\n\r\na 1\n",
		good + "Content-Length: 4\r\n\r\na 1\nx",
		good + "Content-Length: 4\r\n\r\na 1",
		good + "Content-Length: 0\r\n\r\n",
		good + "Content-Length: 4\r\nConnection: close\r\n\r\na 1\n",
		good + "Content-Length: 4\r\nContent-Length: 5\r\n\r\na 1\n",
		good + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n\r\n",
		good + "Transfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n\r\n",
		good + "Transfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\nX: 1\r\n\r\n",
		good + "Transfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n",
		good + "Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		good + "\r\na 1\n",
		"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\na 1\n",
		"HTTP/1.1 100 Continue\r\n\r\n" + good + "Content-Length: 4\r\n\r\na 1\n",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 307 Temporary Redirect\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
		"HTTP/1.1 200 OK\nContent-Length: 4\n\na 1\n",
		"nonsense",
		"",
	}
	for _, answer := range answers {
		_, short := exchanged(t, &rest.Config{}, "node-1", "", answer)
		if _, long := exchanged(t, wrapped(&rest.Config{}), "node-1", "", answer); short != long {
			t.Errorf("%q:\n got %s\nwant %s", answer, short, long)
		}
	}
	configs := []*rest.Config{
		{},
		{UserAgent: "agent/1"},
		{UserAgent: "line\r\nX-Break: 1"},
		{Impersonate: rest.ImpersonationConfig{UserName: "someone", Groups: []string{"a", "b"}, Extra: map[string][]string{"k/x": {"v"}}}},
	}
	for _, config := range configs {
		for _, host := range []string{"node-1", "192.0.2.1", "2001:db8::1", "fe80::1%eth0", "bücher.example", "under_score"} {
			for _, query := range []string{"", "a=b&c=%20d", "a b", "a\tb"} {
				short, shortResult := exchanged(t, config, host, query, answers[0])
				long, longResult := exchanged(t, wrapped(config), host, query, answers[0])
				if short != long || shortResult != longResult {
					t.Errorf("%+v to %s?%q:\n got %q, %s\nwant %q, %s", config, host, query, short, shortResult, long, longResult)
				}
			}
		}
	}
}

// TestCredentialsAreSent: each kind reaches the node, whichever way it goes.
func TestCredentialsAreSent(t *testing.T) {
	authority := kubelettest.NewAuthority(t)
	k := kubelettest.NewServer(t, kubelettest.Options{Authority: authority}).Start("node-1", "")
	for want, config := range map[string]*rest.Config{
		"Bearer secret":          {BearerToken: "secret"},
		"Basic dXNlcjpzZWNyZXQ=": {Username: "user", Password: "secret"},
	} {
		config.CAData = authority.PEM
		for _, config := range []*rest.Config{config, wrapped(config)} {
			conn := connect(t, newClient(t, nodeclient.Options{Config: config}), k)
			for range 2 {
				mustGet(t, conn)
				if got := k.LastRequest().Header.Get("Authorization"); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		}
	}
}

// renewing is a wrapper as a credentials plugin has it: it adds credentials to
// each request and gets others after a refusal.
type renewing struct {
	inner   http.RoundTripper
	version atomic.Int32
}

func (w *renewing) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("Authorization", fmt.Sprintf("Bearer %d", w.version.Load()))
	resp, err := w.inner.RoundTrip(request)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		w.version.Add(1)
	}
	return resp, err
}

func TestForeignWrappersSeeEachRequestAndAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := kubelettest.NewNetwork()
		k := kubelettest.NewServer(t, kubelettest.Options{Network: network}).Start("node-1", "node-1")
		var wrapper *renewing
		config := &rest.Config{}
		config.Wrap(func(inner http.RoundTripper) http.RoundTripper {
			if wrapper != nil {
				t.Error("it was asked for a second wrapper")
			}
			wrapper = &renewing{inner: inner}
			return wrapper
		})
		conn := newClient(t, nodeclient.Options{Config: config, Dial: network.Dial}).Conn(
			nodeclient.Endpoint{Node: "node-1", Scheme: "http", Hosts: []string{"node-1"}, Port: 10250})
		defer conn.Close()
		sent := func() string { return k.LastRequest().Header.Get("Authorization") }
		mustGet(t, conn)
		if got := sent(); got != "Bearer 0" {
			t.Errorf("at first: got %q", got)
		}
		k.SetFault(kubelettest.Fault{Status: http.StatusUnauthorized, Times: 1})
		if _, err := get(t, conn); nodeclient.StatusOf(err) != http.StatusUnauthorized {
			t.Errorf("got %v", err)
		}
		mustGet(t, conn)
		if got := sent(); got != "Bearer 1" {
			t.Errorf("after a refusal: got %q", got)
		}
	})
}
