// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// rig is a manager with kubelets in memory, for a bubble.
type rig struct {
	t       *testing.T
	network *kubelettest.Network
	server  *kubelettest.Server
	manager *Manager
	store   *recorder
	logs    *logLines
	stop    context.CancelFunc
	ended   chan error
	epoch   time.Time
}

// recorder is a store that remembers what it was told, and checks that nothing
// comes after a Forget.
type recorder struct {
	*storage.Store
	mu      sync.Mutex
	commits map[string][]storage.Batch // without samples
	forgot  map[string]int
	// committing is called with the number of the commit, where it is not nil.
	committing func(n int)
}

func (r *recorder) Commit(b *storage.Batch) (storage.CommitResult, error) {
	r.mu.Lock()
	head := *b
	head.Samples = nil
	r.commits[b.Node] = append(r.commits[b.Node], head)
	n := len(r.commits[b.Node])
	r.mu.Unlock()
	if r.committing != nil {
		r.committing(n)
	}
	return r.Store.Commit(b)
}

func (r *recorder) Forget(name string) {
	r.mu.Lock()
	r.forgot[name]++
	r.mu.Unlock()
	r.Store.Forget(name)
}

func (r *recorder) committed(name string) []storage.Batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]storage.Batch(nil), r.commits[name]...)
}

func newRig(t *testing.T, options Options) *rig {
	t.Helper()
	return newRigWith(t, kubelettest.NewNetwork(), options)
}

// newRigWith is a rig in a network that has kubelets already.
func newRigWith(t *testing.T, network *kubelettest.Network, options Options) *rig {
	t.Helper()
	store, err := storage.New(storage.Options{Resolution: options.withDefaults().Resolution})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		t: t, network: network, ended: make(chan error, 1), epoch: time.Now(), logs: &logLines{},
		store: &recorder{Store: store, commits: map[string][]storage.Batch{}, forgot: map[string]int{}},
	}
	r.server = kubelettest.NewServer(t, kubelettest.Options{Network: r.network})
	options.Client.Dial = r.network.Dial
	if r.manager, err = New(options, r.store); err != nil {
		t.Fatal(err)
	}
	return r
}

// run starts the manager; it ends with the test, and everything with it.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(klog.NewContext(r.t.Context(), r.logs.logger()))
	r.stop = cancel
	go func() { r.ended <- r.manager.Run(ctx) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-r.ended; err != nil {
			r.t.Errorf("run: %v", err)
		}
		if got := r.manager.client.Counts().InFlightBytes; got != 0 {
			r.t.Errorf("%d bytes of bodies are accounted for at the end", got)
		}
	})
	synctest.Wait()
}

// node starts a kubelet with some pods that have run for an hour.
func (r *rig) node(name string) *kubelettest.Kubelet {
	k := r.server.Start(name, name)
	k.SetUsage(kubelettest.Uniform(3, 2, r.epoch.Add(-time.Hour)))
	return k
}

func target(name string) Target {
	return Target{Name: name, Addresses: []Address{{Type: "Hostname", Host: name}}, Port: 10250, Scheme: "http", ResourcePath: DefaultResourcePath}
}

func (r *rig) status(name string) Status {
	r.t.Helper()
	s, ok := r.manager.Status(name)
	if !ok {
		r.t.Fatalf("no status of %s", name)
	}
	return s
}

// times are when a node's answers were asked for, since the rig's epoch; the
// second commit of a bridging scrape is not one.
func (r *rig) times(name string) []time.Duration {
	var times []time.Duration
	last := storage.Millis(-1)
	for _, b := range r.store.committed(name) {
		if b.Sent != last {
			times = append(times, b.Sent.Time().Sub(r.epoch))
		}
		last = b.Sent
	}
	return times
}

// logLines collects what is logged.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) logger() klog.Logger {
	return klog.New(&logSink{lines: l})
}

func (l *logLines) containing(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

type logSink struct{ lines *logLines }

func (*logSink) Init(klog.RuntimeInfo)               {}
func (*logSink) Enabled(level int) bool              { return level <= 1 }
func (s *logSink) WithValues(...any) klog.LogSink    { return s }
func (s *logSink) WithName(string) klog.LogSink      { return s }
func (s *logSink) Info(_ int, msg string, kv ...any) { s.add(msg, kv) }
func (s *logSink) Error(err error, msg string, kv ...any) {
	s.add(msg, append([]any{"err", err}, kv...))
}

func (s *logSink) add(msg string, kv []any) {
	s.lines.mu.Lock()
	defer s.lines.mu.Unlock()
	s.lines.lines = append(s.lines.lines, fmt.Sprint(append([]any{msg}, kv...)...))
}
