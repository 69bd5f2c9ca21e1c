// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

// The kubelets of a benchmark run in a process of their own, so that their CPU
// and memory are not ours: the test binary runs itself with these set.
const (
	kubeletsEnv  = "METRICS_APISERVER_TEST_KUBELETS"
	authorityEnv = "METRICS_APISERVER_TEST_AUTHORITY"
	loadEnv      = "METRICS_APISERVER_TEST_LOAD"
)

// smallBody is about what a node of 30 pods answers, in bytes.
const smallBody = 13_000

// loads are what kubelets answer: about what a node of 30 pods says of its
// resources, what its cAdvisor says, and as much in records of 16 KiB, as of
// who writes all at once.
func loads() map[string]kubelettest.Fault {
	const line, largeBody = "0123456789abcde\n", 500_000
	return map[string]kubelettest.Fault{
		"small":         {Body: bytes.Repeat([]byte(line), smallBody/len(line))},
		"large":         {Body: bytes.Repeat([]byte(line), largeBody/len(line))},
		"large-records": {Bomb: largeBody},
	}
}

// TestServeKubelets is not a test: it is the kubelets' process. It ends with its
// standard input.
func TestServeKubelets(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv(kubeletsEnv))
	if err != nil {
		t.Skip("only runs as the kubelets of a benchmark")
	}
	authority := kubelettest.NewAuthority(t)
	if err := os.WriteFile(os.Getenv(authorityEnv), authority.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	server := kubelettest.NewServer(t, kubelettest.Options{Authority: authority})
	load := loads()[os.Getenv(loadEnv)]
	for i := range n {
		k := server.Start(fmt.Sprintf("node-%d", i), "")
		k.SetFault(load)
		fmt.Println("kubelet", k.Name, k.Port)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// serveKubelets starts that many kubelets of that load, and a client that shows
// them a token from a file.
func serveKubelets(b *testing.B, n int, load string) (*nodeclient.Client, []nodeclient.Endpoint) {
	b.Helper()
	dir := b.TempDir()
	caFile, tokenFile := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "token")
	if err := os.WriteFile(tokenFile, []byte(strings.Repeat("token", 200)), 0o600); err != nil {
		b.Fatal(err)
	}
	command := exec.Command(os.Args[0], "-test.run=^TestServeKubelets$", "-test.timeout=10m")
	command.Env = append(os.Environ(), kubeletsEnv+"="+strconv.Itoa(n), authorityEnv+"="+caFile, loadEnv+"="+load)
	input, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = input.Close()
		_ = command.Wait()
	})
	var endpoints []nodeclient.Endpoint
	lines := bufio.NewScanner(output)
	for len(endpoints) < n && lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 || fields[0] != "kubelet" {
			continue
		}
		port, err := strconv.Atoi(fields[2])
		if err != nil {
			b.Fatal(err)
		}
		endpoints = append(endpoints, nodeclient.Endpoint{Node: fields[1], Scheme: "https", Hosts: []string{"127.0.0.1"}, Port: port})
	}
	if len(endpoints) < n {
		b.Fatalf("only %d of %d kubelets started", len(endpoints), n)
	}
	client, err := nodeclient.New(nodeclient.Options{Config: &rest.Config{
		TLSClientConfig: rest.TLSClientConfig{CAFile: caFile}, BearerTokenFile: tokenFile, UserAgent: "metrics-apiserver/v0",
	}})
	if err != nil {
		b.Fatal(err)
	}
	return client, endpoints
}

// fetch asks once, with a timeout, as a loop does.
func fetch(b *testing.B, conn *nodeclient.Conn) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	answer, err := conn.Get(ctx, path, "")
	if err != nil {
		b.Fatal(err)
	}
	answer.Release()
}

// BenchmarkGet is a request over a kept TLS connection to another process; CPU
// is ours alone, a part of the time is the other's.
func BenchmarkGet(b *testing.B) {
	for _, load := range slices.Sorted(maps.Keys(loads())) {
		b.Run(load, func(b *testing.B) {
			client, endpoints := serveKubelets(b, 1, load)
			conn := client.Conn(endpoints[0])
			defer conn.Close()
			fetch(b, conn)
			b.ReportAllocs()
			cpu := cpuTime(b)
			for b.Loop() {
				fetch(b, conn)
			}
			b.ReportMetric(float64((cpuTime(b)-cpu).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkIdle is the memory of a connection between requests, after a few
// answers of that load. The kubelets' certificates are all different.
func BenchmarkIdle(b *testing.B) {
	const nodes, answers = 1000, 3
	for _, load := range slices.Sorted(maps.Keys(loads())) {
		b.Run(load, func(b *testing.B) {
			client, endpoints := serveKubelets(b, nodes, load)
			for b.Loop() {
				before := heapInUse()
				conns := make([]*nodeclient.Conn, nodes)
				for i, endpoint := range endpoints {
					conns[i] = client.Conn(endpoint)
					for range answers {
						fetch(b, conns[i])
					}
				}
				b.ReportMetric(float64(heapInUse()-before)/nodes, "heap-B/conn")
				for _, conn := range conns {
					conn.Close()
				}
			}
		})
	}
}

// cpuTime is the CPU time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// heapInUse is the memory of the heap after collections, the second of which
// empties pools.
func heapInUse() uint64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// canned is a connection that answers each write at once with the same bytes,
// so that nothing of a request is measured but our part of it.
type canned struct {
	net.Conn // nil
	answer   []byte
	left     []byte
}

func (c *canned) Write(p []byte) (int, error) { c.left = c.answer; return len(p), nil }

func (c *canned) Read(p []byte) (int, error) {
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

func (*canned) SetDeadline(time.Time) error { return nil }
func (*canned) Close() error                { return nil }

// BenchmarkRequest is a request without a network and without TLS, with headers
// as a kubelet sends them. "wrapped" goes through client-go's wrappers each time
// and through net/http, as all requests did.
func BenchmarkRequest(b *testing.B) {
	body := strings.Repeat("0123456789abcde\n", smallBody/16)
	const fields = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n"
	var chunks strings.Builder
	for piece := range slices.Chunk([]byte(body), 4<<10) {
		fmt.Fprintf(&chunks, "%x\r\n%s\r\n", len(piece), piece)
	}
	answers := map[string]string{
		"sized":   fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", fields, len(body), body),
		"chunked": fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n", fields, chunks.String()),
	}
	wrappers := map[string]transport.WrapperFunc{
		"shared":  nil,
		"wrapped": func(inner http.RoundTripper) http.RoundTripper { return inner },
	}
	for framing, answer := range answers {
		for name, wrapper := range wrappers {
			b.Run(framing+"/"+name, func(b *testing.B) {
				client, err := nodeclient.New(nodeclient.Options{
					// An impersonation in place of a token, which is not sent
					// over plain http.
					Config: &rest.Config{UserAgent: "metrics-apiserver/v0", Impersonate: rest.ImpersonationConfig{UserName: "node-reader"}, WrapTransport: wrapper},
					Dial: func(context.Context, string, string) (net.Conn, error) {
						return &canned{answer: []byte(answer)}, nil
					},
				})
				if err != nil {
					b.Fatal(err)
				}
				conn := client.Conn(nodeclient.Endpoint{Node: "node-1", Scheme: "http", Hosts: []string{"192.0.2.1"}, Port: 10250})
				defer conn.Close()
				ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
				defer cancel()
				b.ReportAllocs()
				for b.Loop() {
					answer, err := conn.Get(ctx, path, "")
					if err != nil {
						b.Fatal(err)
					}
					answer.Release()
				}
			})
		}
	}
}
