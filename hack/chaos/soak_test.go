// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/chaos/rig"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// trySoak is churn of everything at once for a long time, in which what the
// server holds must stay flat.
func trySoak(x *trial) {
	lasts := x.lasting(*soak)
	injected := fmt.Sprintf("%v: 100 nodes of 5 pods; every second 2 nodes come and 2 go, 3 pods are replaced, 10 containers restart, 2 kubelets fail for a while, 10 clients come anew", lasts)
	w := x.world(100, 5)
	server := w.Serve(x)
	pid := server.Pid()
	ctx, stop := context.WithCancel(x.Context())
	s := &soaking{x: x, w: w, server: server}
	var group sync.WaitGroup
	for _, part := range []func(context.Context, int){s.nodes, s.pods, s.restarts, s.faults, s.clients} {
		group.Go(func() {
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for i := 0; ; i++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				part(ctx, i)
			}
		})
	}
	// What is allocated once, by the first of everything, is no growth.
	x.wait(max(75*time.Second, lasts/10))
	var moments []time.Duration
	var stats []rig.Stats
	for begun := time.Now(); time.Since(begun) < lasts && x.Context().Err() == nil; x.wait(max(time.Second, lasts/240)) {
		now, err := server.Stats(x.Context())
		if err != nil {
			x.Fatal(err)
		}
		moments, stats = append(moments, time.Since(begun)), append(stats, now)
	}
	stop()
	group.Wait()

	var drawn []Series
	for _, f := range []struct {
		name  string
		value func(s rig.Stats) float64
		slack float64 // what it may grow by
	}{
		{"resident memory, MiB", func(s rig.Stats) float64 { return float64(s.Resident) / (1 << 20) }, 8},
		{"heap in use, MiB", func(s rig.Stats) float64 { return float64(s.Heap) / (1 << 20) }, 4},
		{"goroutines", func(s rig.Stats) float64 { return float64(s.Goroutines) }, 20},
		{"sockets", func(s rig.Stats) float64 { return float64(s.Sockets) }, 20},
		{"series", func(s rig.Stats) float64 { return float64(s.Series) }, 60},
	} {
		line := Series{Name: f.name}
		for _, s := range stats {
			line.Values = append(line.Values, f.value(s))
		}
		drawn = append(drawn, line)
		if third := len(line.Values) / 3; third > 0 {
			first, last := median(line.Values[:third]), median(line.Values[len(line.Values)-third:])
			limit := first*1.05 + f.slack
			x.figure(soakID, injected, f.name+", median of the last third", fmt.Sprintf("%.4g", last), fmt.Sprintf("%.4g (first third: %.4g)", limit, first), last <= limit)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x.none(soakID, injected, "requests that failed", &s.failures, s.requests)
	x.figure(soakID, injected, "the same process", server.Pid() == pid, true, server.Pid() == pid)
	if *out != "" {
		title := fmt.Sprintf("Soak of %v", lasts)
		if err := os.WriteFile(filepath.Join(*out, "soak.svg"), []byte(SVG(title, moments, drawn...)), 0o644); err != nil {
			x.Error(err)
		}
		x.report.AddPlot(Plot{File: "soak.svg", Title: title})
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// soaking is what goes on in a soak.
type soaking struct {
	x      *trial
	w      *rig.World
	server *rig.Server

	mu       sync.Mutex
	requests int
	failures findings
}

func (s *soaking) note(ctx context.Context, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests++; ctx.Err() == nil {
		s.failures.err(err)
	}
}

// nodes has two nodes come, and those go that came a minute ago.
func (s *soaking) nodes(ctx context.Context, i int) {
	kubelets := s.w.Nodes()
	for n := 2 * i; n < 2*i+2; n++ {
		s.note(ctx, s.w.CreateNode(ctx, fmt.Sprintf("soak-come-%d", n), kubelets[n%len(kubelets)]))
		if n >= 120 {
			s.note(ctx, s.w.DeleteNode(ctx, fmt.Sprintf("soak-come-%d", n-120)))
		}
	}
}

// pods has three pods come, and those go that came a minute ago.
func (s *soaking) pods(ctx context.Context, i int) {
	kubelets := s.w.Nodes()
	for n := 3 * i; n < 3*i+3; n++ {
		s.note(ctx, s.w.CreatePod(ctx, fmt.Sprintf("come-%d", n), kubelets[n%len(kubelets)].Name, "20m", "32Mi"))
		if n >= 180 {
			s.note(ctx, s.w.DeletePod(ctx, fmt.Sprintf("come-%d", n-180)))
		}
	}
}

// restarts restarts two containers of each of five nodes.
func (s *soaking) restarts(_ context.Context, _ int) {
	kubelets := s.w.Nodes()
	for range 5 {
		kubelets[rand.IntN(len(kubelets))].Change(func(pods map[string]kubelettest.Pod) {
			left := 2
			for key, pod := range pods {
				if left--; left < 0 {
					return
				}
				pod.Containers = slices.Clone(pod.Containers)
				pod.Containers[rand.IntN(len(pod.Containers))].Started = time.Now().Truncate(time.Millisecond)
				pods[key] = pod
			}
		})
	}
}

// faults has two kubelets fail, each for some requests.
func (s *soaking) faults(_ context.Context, _ int) {
	kubelets := s.w.Nodes()
	for range 2 {
		fault := []kubelettest.Fault{
			{Reset: true},
			{Hang: true},
			{Status: 500},
			{CutAfter: 300},
			{Redirect: "https://127.0.0.1:1/"},
			{Drip: time.Second},
			{Bomb: 32 << 20},
			{Body: []byte("nonsense\n")},
			{Delay: 3 * time.Second},
		}[rand.IntN(9)]
		fault.Times = 1 + rand.IntN(3)
		kubelets[rand.IntN(len(kubelets))].SetFault(fault)
	}
}

// clients has ten clients ask for a list each, on connections of their own.
func (s *soaking) clients(ctx context.Context, _ int) {
	client := s.server.As(s.x, rig.Reader)
	for range 10 {
		status, _, err := s.server.GetAs(ctx, client, "/apis/metrics.k8s.io/v1beta1/pods")
		if err := ok(status, err); err != nil {
			s.note(ctx, fmt.Errorf("list pods at %s: %w", time.Now().Format(time.TimeOnly), err))
		} else {
			s.note(ctx, nil)
		}
		client.CloseIdleConnections()
	}
}
