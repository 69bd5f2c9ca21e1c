// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

func TestConnectionIsKept(t *testing.T) {
	authority := kubelettest.NewAuthority(t)
	k := kubelettest.NewServer(t, kubelettest.Options{Authority: authority}).Start("node-1", "")
	for name, body := range map[string]string{
		"empty": "", "short": "a 1\n", "long": strings.Repeat("a 1\n", 700_000),
	} {
		t.Run(name, func(t *testing.T) {
			conn := connect(t, newClient(t, nodeclient.Options{Config: config(authority)}), k)
			_, before := k.Connections()
			k.SetFault(kubelettest.Fault{Body: []byte(body)})
			for range 5 {
				if got := mustGet(t, conn); got != body {
					t.Fatalf("got %d bytes, want %d", len(got), len(body))
				}
			}
			k.SetFault(kubelettest.Fault{Status: 503})
			_, err := get(t, conn)
			wantReason(t, err, nodeclient.ReasonStatus)
			if got := nodeclient.StatusOf(err); got != 503 {
				t.Errorf("status: got %d", got)
			}
			if _, after := k.Connections(); after != before+1 {
				t.Errorf("%d connections were opened", after-before)
			}
		})
	}
	if p := k.LastRequest().Proto; p != "HTTP/1.1" {
		t.Errorf("protocol: got %s", p)
	}
	if e := k.LastRequest().Header.Get("Accept-Encoding"); e != "identity" {
		t.Errorf("accept-encoding: got %q", e)
	}
}

func TestClosedConnectionIsReplacedUnseen(t *testing.T) {
	authority := kubelettest.NewAuthority(t)
	k := kubelettest.NewServer(t, kubelettest.Options{Authority: authority}).Start("node-1", "")
	conn := connect(t, newClient(t, nodeclient.Options{Config: config(authority)}), k)
	mustGet(t, conn)
	k.Stop()
	k.Resume()
	mustGet(t, conn)

	k.Stop()
	_, err := get(t, conn)
	wantReason(t, err, nodeclient.ReasonDial)
	k.Resume()
	mustGet(t, conn)
}

func TestAnswersThatBreak(t *testing.T) {
	authority := kubelettest.NewAuthority(t)
	k := kubelettest.NewServer(t, kubelettest.Options{Authority: authority}).Start("node-1", "")
	k.SetUsage(kubelettest.Uniform(10, 2, time.Now().Add(-time.Hour)))
	conn := connect(t, newClient(t, nodeclient.Options{Config: config(authority)}), k)
	for name, fault := range map[string]kubelettest.Fault{
		"reset":        {Reset: true},
		"cut":          {CutAfter: 500},
		"cut at start": {CutAfter: 1},
	} {
		k.SetFault(fault)
		_, err := get(t, conn)
		if err == nil {
			t.Errorf("%s: got no error", name)
			continue
		}
		wantReason(t, err, nodeclient.ReasonBroken)
		k.SetFault(kubelettest.Fault{})
		mustGet(t, conn)
	}
}

// listen serves raw bytes in place of answers.
func listen(t *testing.T, serve func(conn net.Conn)) nodeclient.Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() {
				defer func() { _ = conn.Close() }()
				_, _ = conn.Read(make([]byte, 4096))
				serve(conn)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); done.Wait() })
	return nodeclient.Endpoint{Node: "node-1", Scheme: "http", Hosts: []string{"127.0.0.1"}, Port: l.Addr().(*net.TCPAddr).Port}
}

func TestAnswersThatAreNotHTTP(t *testing.T) {
	endless := func(text string) func(net.Conn) {
		return func(conn net.Conn) {
			for {
				if _, err := conn.Write([]byte(text)); err != nil {
					return
				}
			}
		}
	}
	once := func(text string) func(net.Conn) {
		return func(conn net.Conn) { _, _ = conn.Write([]byte(text)) }
	}
	tests := map[string]struct {
		serve func(net.Conn)
		want  nodeclient.Reason
	}{
		"endless header":    {func(c net.Conn) { once("HTTP/1.1 200 OK\r\n")(c); endless("A: b\r\n")(c) }, nodeclient.ReasonTooLarge},
		"endless line":      {endless("x"), nodeclient.ReasonTooLarge},
		"endless line feed": {endless("\n"), nodeclient.ReasonBroken},
		"endless interim":   {endless("HTTP/1.1 100 Continue\r\n\r\n"), nodeclient.ReasonBroken},
		"switching":         {once("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), nodeclient.ReasonBroken},
		"nothing":           {once(""), nodeclient.ReasonBroken},
		"TLS":               {once("\x15\x03\x01\x00\x02\x02\x16"), nodeclient.ReasonBroken},
		"bad length":        {once("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), nodeclient.ReasonBroken},
		"huge length":       {once("HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n"), nodeclient.ReasonTooLarge},
		"bad chunk":         {once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), nodeclient.ReasonBroken},
		"encoding":          {once("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx"), nodeclient.ReasonBroken},
		"bad gzip":          {once("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"), nodeclient.ReasonBroken},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			conn := newClient(t, nodeclient.Options{}).Conn(listen(t, test.serve))
			defer conn.Close()
			_, err := get(t, conn)
			wantReason(t, err, test.want)
			if conn.Address() != "" && name != "bad gzip" { // Which came in whole.
				t.Error("the connection was kept")
			}
		})
	}
}

func TestBytesBehindAnAnswerAreNotTheNextOne(t *testing.T) {
	answers := 0
	endpoint := listen(t, func(conn net.Conn) {
		answers++
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n%d\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil\n", answers)
	})
	conn := newClient(t, nodeclient.Options{}).Conn(endpoint)
	defer conn.Close()
	for _, want := range []string{"1\n", "2\n"} {
		if got := mustGet(t, conn); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestBounds(t *testing.T) {
	authority := kubelettest.NewAuthority(t)
	k := kubelettest.NewServer(t, kubelettest.Options{Authority: authority}).Start("node-1", "")
	client := newClient(t, nodeclient.Options{
		Config: config(authority), MaxBodyBytes: 4 << 20, MaxCompressedBytes: 32 << 10, MaxInFlightBytes: 10 << 20,
	})
	conn := connect(t, client, k)
	tests := map[string]struct {
		fault kubelettest.Fault
		size  int // of a good answer
		count func(nodeclient.Counts) uint64
	}{
		"exactly the bound":            {fault: kubelettest.Fault{Bomb: 4 << 20}, size: 4 << 20},
		"one more":                     {fault: kubelettest.Fault{Bomb: 4<<20 + 1}, count: func(c nodeclient.Counts) uint64 { return c.BodyTooLarge }},
		"256 MiB":                      {fault: kubelettest.Fault{Bomb: 256 << 20}, count: func(c nodeclient.Counts) uint64 { return c.BodyTooLarge }},
		"gzip":                         {fault: kubelettest.Fault{Bomb: 2 << 20, BombGzip: true}, size: 2 << 20},
		"gzip bomb, plain bound":       {fault: kubelettest.Fault{Bomb: 16 << 20, BombGzip: true}, count: func(c nodeclient.Counts) uint64 { return c.BodyTooLarge }},
		"line feeds within a response": {fault: kubelettest.Fault{Body: bytes.Repeat([]byte("\n"), 4<<20)}, size: 4 << 20},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := client.Counts()
			k.SetFault(test.fault)
			body, err := get(t, conn)
			if test.count == nil {
				if err != nil || len(body) != test.size {
					t.Fatalf("got %d bytes, %v", len(body), err)
				}
				return
			}
			wantReason(t, err, nodeclient.ReasonTooLarge)
			if got := test.count(client.Counts()) - test.count(before); got != 1 {
				t.Errorf("counted %d times", got)
			}
		})
	}
}

func TestCompressedBound(t *testing.T) {
	// Six hundred gzip members of nothing: much on the wire, nothing inside.
	empty := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	members := bytes.Repeat(empty, 600)
	endpoint := listen(t, func(conn net.Conn) {
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"))
		_, _ = conn.Write(members)
	})
	for limit, want := range map[int]bool{len(members): true, len(members) - 1: false} {
		client := newClient(t, nodeclient.Options{AcceptGzip: true, MaxCompressedBytes: int64(limit)})
		conn := client.Conn(endpoint)
		t.Cleanup(conn.Close)
		_, err := get(t, conn)
		if want && err != nil {
			t.Errorf("at the bound: %v", err)
		}
		if !want {
			wantReason(t, err, nodeclient.ReasonTooLarge)
			if client.Counts().CompressedTooLarge != 1 {
				t.Error("not counted")
			}
		}
	}
}

func TestManyBombsStayWithinTheBudgetAndSpareOthers(t *testing.T) {
	authority := kubelettest.NewAuthority(t)
	server := kubelettest.NewServer(t, kubelettest.Options{Authority: authority})
	client := newClient(t, nodeclient.Options{Config: config(authority), MaxBodyBytes: 2 << 20, MaxInFlightBytes: 6 << 20})
	var bombs sync.WaitGroup
	for i := range 20 {
		k := server.Start(fmt.Sprintf("bomb-%d", i), "")
		k.SetFault(kubelettest.Fault{Bomb: 64 << 20})
		conn := connect(t, client, k)
		bombs.Go(func() {
			for range 5 {
				if _, err := get(t, conn); err == nil {
					t.Error("a bomb was taken")
				}
			}
		})
	}
	healthy := server.Start("healthy", "")
	healthy.SetUsage(kubelettest.Uniform(30, 2, time.Now().Add(-time.Hour)))
	conn := connect(t, client, healthy)
	for range 50 {
		if _, err := get(t, conn); err != nil {
			t.Errorf("the healthy node failed: %v", err)
		}
		if got := client.Counts().InFlightBytes; got > 6<<20 {
			t.Errorf("%d bytes in flight", got)
		}
	}
	bombs.Wait()
}

// inMemory is a client in a network of its own, for a bubble.
func inMemory(t *testing.T) (*kubelettest.Network, *kubelettest.Server, *nodeclient.Client) {
	t.Helper()
	network := kubelettest.NewNetwork()
	server := kubelettest.NewServer(t, kubelettest.Options{Network: network})
	return network, server, newClient(t, nodeclient.Options{Config: &rest.Config{}, Dial: network.Dial})
}

func TestAddressFallThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, server, client := inMemory(t)
		server.Start("node-1", "good")
		network.SetSilent("silent:10250", true)
		conn := client.Conn(nodeclient.Endpoint{Node: "node-1", Scheme: "http", Hosts: []string{"silent", "refused", "good"}, Port: 10250})
		defer conn.Close()
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		answer, err := conn.Get(ctx, path, "")
		if err != nil {
			t.Fatal(err)
		}
		answer.Release()
		if got, want := time.Since(begin), 2500*time.Millisecond; got != want {
			t.Errorf("took %v, want %v: a quarter of the time for the first of three", got, want)
		}
		if got := conn.Address(); got != "good:10250" {
			t.Errorf("address: got %s", got)
		}
		// The address that worked is tried first.
		conn.Close()
		mustGet(t, conn)
		if got := network.Dials("silent:10250"); got != 1 {
			t.Errorf("the silent address was dialed %d times", got)
		}
	})
}

func TestOnlyDialErrorsFallThrough(t *testing.T) {
	authority := kubelettest.NewAuthority(t)
	server := kubelettest.NewServer(t, kubelettest.Options{Authority: authority})
	wrong := server.Start("node-1", "127.0.0.1")
	wrong.SetCertificate(authority.Serving(t, time.Hour, "node-2"))
	conn := newClient(t, nodeclient.Options{Config: config(authority)}).Conn(
		nodeclient.Endpoint{Node: "node-1", Scheme: "https", Hosts: []string{"127.0.0.1", "127.0.0.2"}, Port: wrong.Port})
	_, err := get(t, conn)
	wantReason(t, err, nodeclient.ReasonTLS)
	if _, opened := wrong.Connections(); opened != 1 {
		t.Errorf("%d connections", opened)
	}
}

func TestIPv6(t *testing.T) {
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skipf("no IPv6 here: %v", err)
	} else {
		_ = l.Close()
	}
	authority := kubelettest.NewAuthority(t)
	k := kubelettest.NewServer(t, kubelettest.Options{Authority: authority}).Start("node-1", "::1")
	conn := connect(t, newClient(t, nodeclient.Options{Config: config(authority)}), k)
	mustGet(t, conn)
	if got, want := k.LastRequest().Host, k.Address(); got != want {
		t.Errorf("Host: got %s, want %s", got, want)
	}
}

func TestTimeoutCoversEveryPart(t *testing.T) {
	for name, fault := range map[string]kubelettest.Fault{
		"delay": {Delay: time.Hour},
		"drip":  {Drip: time.Second},
		"hang":  {Hang: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, server, client := inMemory(t)
				k := server.Start("node-1", "node-1")
				k.SetUsage(kubelettest.Uniform(1, 1, time.Now().Add(-time.Hour)))
				k.SetFault(fault)
				conn := client.Conn(nodeclient.Endpoint{Node: "node-1", Scheme: "http", Hosts: []string{"node-1"}, Port: 10250})
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, err := conn.Get(ctx, path, "")
				wantReason(t, err, nodeclient.ReasonTimeout)
				if took := time.Since(begin); took != 10*time.Second {
					t.Errorf("took %v", took)
				}
				if conn.Address() != "" {
					t.Error("the connection was kept")
				}
			})
		})
	}
}

func TestCancelEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server, client := inMemory(t)
		server.Start("node-1", "node-1").SetFault(kubelettest.Fault{Hang: true})
		conn := client.Conn(nodeclient.Endpoint{Node: "node-1", Scheme: "http", Hosts: []string{"node-1"}, Port: 10250})
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error)
		go func() {
			_, err := conn.Get(ctx, path, "")
			got <- err
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case err := <-got:
			wantReason(t, err, nodeclient.ReasonCanceled)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		default:
			t.Error("the request goes on")
		}
	})
}

func TestSilentNodesDoNotTakeAllHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority, network := kubelettest.NewAuthority(t), kubelettest.NewNetwork()
		client := newClient(t, nodeclient.Options{Config: config(authority), Dial: network.Dial, MaxHandshakes: 2})
		silent, err := network.Listen("silent:10250")
		if err != nil {
			t.Fatal(err)
		}
		var background sync.WaitGroup
		background.Go(func() {
			for {
				conn, err := silent.Accept()
				if err != nil {
					return
				}
				background.Go(func() { _, _ = io.Copy(io.Discard, conn) })
			}
		})
		for range 4 {
			background.Go(func() {
				conn := client.Conn(nodeclient.Endpoint{Node: "silent", Scheme: "https", Hosts: []string{"silent"}, Port: 10250})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, err := conn.Get(ctx, path, "")
				if nodeclient.ReasonOf(err) != nodeclient.ReasonTimeout {
					t.Errorf("the silent node: got %v", err)
				}
			})
		}
		synctest.Wait()
		k := kubelettest.NewServer(t, kubelettest.Options{Authority: authority, Network: network}).Start("node-1", "node-1")
		begun := time.Now()
		mustGet(t, connect(t, client, k))
		if waited := time.Since(begun); waited > 2*time.Second {
			t.Errorf("a good node waited %v", waited)
		}
		time.Sleep(10 * time.Second)
		_ = silent.Close()
		background.Wait()
	})
}

func TestIdleConnectionsHaveNoGoroutines(t *testing.T) {
	authority := kubelettest.NewAuthority(t)
	server := kubelettest.NewServer(t, kubelettest.Options{Authority: authority})
	client := newClient(t, nodeclient.Options{Config: config(authority)})
	const nodes = 20
	for i := range nodes {
		mustGet(t, connect(t, client, server.Start(fmt.Sprintf("node-%d", i), "")))
	}
	// Each kubelet here has its listener and one connection.
	stacks := make([]byte, 1<<20)
	text := string(stacks[:runtime.Stack(stacks, true)])
	for stack := range strings.SplitSeq(text, "\n\n") {
		if strings.Contains(stack, "/nodeclient.") && !strings.Contains(stack, "testing.tRunner") {
			t.Errorf("an idle connection keeps a goroutine:\n%s", stack)
		}
	}
}
