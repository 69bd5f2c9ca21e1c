// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

// TestMain fails where anything of this package still runs after all tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		code = leaks()
	}
	os.Exit(code)
}

func leaks() int {
	var left string
	for range 100 {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		left = ""
		for _, stack := range strings.Split(string(stacks), "\n\n")[1:] {
			if strings.Contains(stack, "/pkg/scraper/") {
				left += stack + "\n\n"
			}
		}
		if left == "" {
			return 0
		}
		time.Sleep(20 * time.Millisecond) // What was told to end may need a moment.
	}
	fmt.Fprintf(os.Stderr, "goroutines were left running:\n%s", left)
	return 1
}

const path = "/metrics/resource"

// config trusts the authority and nothing else.
func config(authority *kubelettest.Authority) *rest.Config {
	return &rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: authority.PEM}}
}

func newClient(t *testing.T, options nodeclient.Options) *nodeclient.Client {
	t.Helper()
	c, err := nodeclient.New(options)
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	t.Cleanup(func() {
		if n := c.Counts().InFlightBytes; n != 0 {
			t.Errorf("%d bytes of bodies are still accounted for at the end", n)
		}
	})
	return c
}

// connect is a connection to a kubelet by TLS.
func connect(t *testing.T, c *nodeclient.Client, k *kubelettest.Kubelet) *nodeclient.Conn {
	t.Helper()
	conn := c.Conn(nodeclient.Endpoint{Node: k.Name, Scheme: "https", Hosts: []string{k.Host}, Port: k.Port})
	t.Cleanup(conn.Close)
	return conn
}

// get asks with a timeout that is only there so that a bug does not hang.
func get(t *testing.T, conn *nodeclient.Conn) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answer, err := conn.Get(ctx, path, "")
	if err != nil {
		return "", err
	}
	defer answer.Release()
	return string(answer.Body), nil
}

func mustGet(t *testing.T, conn *nodeclient.Conn) string {
	t.Helper()
	body, err := get(t, conn)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	return body
}

func wantReason(t *testing.T, err error, want nodeclient.Reason) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want reason %q", want)
	}
	if got := nodeclient.ReasonOf(err); got != want {
		t.Fatalf("got reason %q (%v), want %q", got, err, want)
	}
}

func writeFile(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(dir, name)
	// As a volume is updated: at once, by renaming.
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	return file
}
