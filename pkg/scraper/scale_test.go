// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/phase"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// The kubelets of a benchmark run in a process of their own, so that their CPU
// and memory are not ours: the test binary runs itself with these set.
const (
	kubeletsEnv  = "METRICS_APISERVER_TEST_KUBELETS"
	authorityEnv = "METRICS_APISERVER_TEST_AUTHORITY"
)

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
	usage := kubelettest.Uniform(30, 2, time.Now().Add(-time.Hour))
	for i := range n {
		k := server.Start(fmt.Sprintf("node-%d", i), "")
		k.SetUsage(usage)
		fmt.Println("kubelet", k.Name, k.Port)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// serveKubelets starts that many kubelets of 30 pods with two containers each.
func serveKubelets(b *testing.B, n int) (targets []Target, client nodeclient.Options) {
	b.Helper()
	caFile := filepath.Join(b.TempDir(), "ca.crt")
	command := exec.Command(os.Args[0], "-test.run=^TestServeKubelets$", "-test.timeout=10m")
	command.Env = append(os.Environ(), kubeletsEnv+"="+strconv.Itoa(n), authorityEnv+"="+caFile)
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
	lines := bufio.NewScanner(output)
	for len(targets) < n && lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 || fields[0] != "kubelet" {
			continue
		}
		port, err := strconv.Atoi(fields[2])
		if err != nil {
			b.Fatal(err)
		}
		targets = append(targets, Target{
			Name: fields[1], Addresses: []Address{{"InternalIP", "127.0.0.1"}}, Port: port, Scheme: "https", ResourcePath: DefaultResourcePath,
		})
	}
	if len(targets) < n {
		b.Fatalf("only %d of %d kubelets started", len(targets), n)
	}
	return targets, nodeclient.Options{Config: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CAFile: caFile}}}
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

// inUse is the memory of heap and stacks after a collection.
func inUse() (heap, stacks uint64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, m.StackInuse
}

// BenchmarkStart measures a start with 1,000 nodes of 30 pods over TLS, once:
// how long it takes until every container has a rate, what a node holds when
// all is quiet, and the CPU of a scrape.
func BenchmarkStart(b *testing.B) {
	const nodes = 1000
	targets, client := serveKubelets(b, nodes)
	for range b.N {
		heap, stacks := inUse()
		store, err := storage.New(storage.Options{})
		if err != nil {
			b.Fatal(err)
		}
		m, err := New(Options{Client: client, Resolution: 15 * time.Second}, store)
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		cpu, begun := cpuTime(b), time.Now()
		go func() { ended <- m.Run(ctx) }()
		for _, target := range targets {
			m.Set(target)
		}
		for {
			if _, containers := store.Points(); containers == nodes*60 {
				break
			}
			if time.Since(begun) > time.Minute {
				b.Fatalf("not complete after a minute: %+v", m.Statuses()[0])
			}
			time.Sleep(10 * time.Millisecond)
		}
		b.ReportMetric(time.Since(begun).Seconds(), "s-to-complete")
		b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/nodes, "cpu-µs/first-scrape")

		time.Sleep(15 * time.Second)
		cpu = cpuTime(b)
		time.Sleep(30 * time.Second)
		b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/nodes/2, "cpu-µs/scrape")
		heapNow, stacksNow := inUse()
		b.ReportMetric(float64(heapNow-heap)/nodes, "heap-B/node")
		b.ReportMetric(float64(stacksNow-stacks)/nodes, "stack-B/node")
		b.ReportMetric(float64(runtime.NumGoroutine())/nodes, "goroutines/node")
		b.ReportMetric(float64(m.client.Counts().Connections)/nodes, "connections/node")
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkScrape measures our CPU for one scrape of one node of 30 pods over
// TLS, from the request to the commit; the kubelet's is not in it.
func BenchmarkScrape(b *testing.B) {
	targets, client := serveKubelets(b, 1)
	store, err := storage.New(storage.Options{})
	if err != nil {
		b.Fatal(err)
	}
	m, err := New(Options{Client: client}, store)
	if err != nil {
		b.Fatal(err)
	}
	l := m.newLoop(targets[0])
	defer l.conn.Close()
	ctx := context.Background()
	l.scrape(ctx)
	b.ReportAllocs()
	cpu := cpuTime(b)
	for b.Loop() {
		l.scrape(ctx)
	}
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/scrape")
	if s := l.status.Load(); s.State != Up || s.Stats.Containers != 60 {
		b.Errorf("the last scrape: %+v", s)
	}
}

// publishing is a store that takes note of how late answers come.
type publishing struct {
	*storage.Store
	healthy map[string]bool

	mu    sync.Mutex
	since time.Time
	late  []time.Duration
}

func (p *publishing) Commit(batch *storage.Batch) (storage.CommitResult, error) {
	result, err := p.Store.Commit(batch)
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.healthy[batch.Node] && now.After(p.since) {
		const resolution = 15 * time.Second
		p.late = append(p.late, time.Duration(now.UnixNano()-int64(phase.Of(batch.Node, resolution, len(p.healthy))))%resolution)
	}
	return result, err
}

// BenchmarkPublish measures for how long after its moment the answer of a healthy
// node is in the store, among 500 kubelets over TLS: all of them healthy; one of
// them a black hole, and one dripping a byte a second; and with 500 black holes
// beside them that begin at once.
func BenchmarkPublish(b *testing.B) {
	const nodes = 500
	targets, client := serveKubelets(b, nodes)
	dial := (&net.Dialer{}).DialContext
	for _, test := range []struct {
		name                   string
		silent, dripping, more int
	}{{"clean", 0, 0, 0}, {"one-dead-one-dripping", 1, 1, 0}, {"500-dead", 0, 0, 500}} {
		b.Run(test.name, func(b *testing.B) {
			for range b.N {
				store, err := storage.New(storage.Options{})
				if err != nil {
					b.Fatal(err)
				}
				p := &publishing{Store: store, healthy: map[string]bool{}}
				bad := map[string]bool{}
				var all []Target
				for i, target := range targets {
					if i < test.silent {
						bad[net.JoinHostPort(target.Addresses[0].Host, strconv.Itoa(target.Port))] = true
					} else if i >= test.silent+test.dripping {
						p.healthy[target.Name] = true
					}
					all = append(all, target)
				}
				dripping := ""
				if test.dripping > 0 {
					dripping = net.JoinHostPort(targets[test.silent].Addresses[0].Host, strconv.Itoa(targets[test.silent].Port))
				}
				for i := range test.more {
					target := targets[0]
					target.Name, target.Addresses = fmt.Sprint("hole-", i), []Address{{"InternalIP", "hole.invalid"}}
					all = append(all, target)
					bad[net.JoinHostPort("hole.invalid", strconv.Itoa(target.Port))] = true
				}
				client.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
					if bad[address] {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					conn, err := dial(ctx, network, address)
					if err == nil && address == dripping {
						conn = dripConn{conn}
					}
					return conn, err
				}
				m, err := New(Options{Client: client, Resolution: 15 * time.Second}, p)
				if err != nil {
					b.Fatal(err)
				}
				quiet := klog.NewContext(context.Background(), klog.Logger{})
				ctx, cancel := context.WithCancel(quiet)
				ended := make(chan error, 1)
				p.since = time.Now().Add(5 * time.Second) // Without the start.
				for _, target := range all {
					m.Set(target)
				}
				go func() { ended <- m.Run(ctx) }()
				most := 0
				for range 40 * 10 {
					time.Sleep(100 * time.Millisecond)
					most = max(most, runtime.NumGoroutine())
				}
				cancel()
				if err := <-ended; err != nil {
					b.Error(err)
				}
				slices.Sort(p.late)
				for name, q := range map[string]float64{"p50": 0.5, "p99": 0.99, "max": 1} {
					at := p.late[int(q*float64(len(p.late)-1))]
					b.ReportMetric(float64(at.Microseconds())/1000, name+"-ms")
				}
				b.ReportMetric(float64(len(p.late)), "answers")
				b.ReportMetric(float64(most), "goroutines")
			}
		})
	}
}

// dripConn gives a byte a second.
type dripConn struct{ net.Conn }

func (c dripConn) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	return c.Conn.Read(p[:1])
}
