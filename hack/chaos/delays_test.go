// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/chaos/rig"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// tryDeadAndDripping is F1.
func tryDeadAndDripping(x *trial) {
	const injected = "500 kubelets; 1 takes connections and says nothing, 1 sends a byte a second"
	w := x.world(500, 1)
	server := w.Serve(x)
	x.wait(45 * time.Second)
	clean := publishDelays(x, w, server, 2)

	nodes := w.Nodes()
	nodes[0].Stop()
	hole, err := new(net.ListenConfig).Listen(x.Context(), "tcp", nodes[0].Address())
	if err != nil {
		x.Fatal(err)
	}
	x.Cleanup(func() { _ = hole.Close() })
	nodes[1].SetFault(kubelettest.Fault{Drip: time.Second})
	x.wait(20 * time.Second)
	sockets, goroutines := 0, 0
	watching, stop := context.WithCancel(x.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for watching.Err() == nil {
			if stats, err := server.Stats(watching); err == nil {
				sockets, goroutines = max(sockets, stats.Sockets), max(goroutines, stats.Goroutines)
			}
			select {
			case <-watching.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	faulty := publishDelays(x, w, server, 2)
	stop()
	<-watched

	before, after := quantile(clean, 0.99), quantile(faulty, 0.99)
	limit := before + 50*time.Millisecond
	x.figure("F1", injected, fmt.Sprintf("p99 of %d delays from an answer to the API (clean: %v)", len(faulty), before.Round(time.Millisecond)), after.Round(time.Millisecond), limit.Round(time.Millisecond), after <= limit && len(faulty) > 100)
	x.figure("F1", injected, "sockets", sockets, len(nodes)+64, sockets > 0 && sockets <= len(nodes)+64)
	x.figure("F1", injected, "goroutines", goroutines, len(nodes)+64, goroutines > 0 && goroutines <= len(nodes)+64)
}

// publishDelays looks for a minute and a half, every 20 ms, when what a kubelet has answered
// is served; the first nodes are left out.
func publishDelays(x *trial, w *rig.World, server *rig.Server, except int) []time.Duration {
	nodes := w.Nodes()[except:]
	seen := map[string]time.Time{}
	var delays []time.Duration
	failures := &findings{}
	x.every(20*time.Millisecond, 90*time.Second, func(ctx context.Context) {
		usage, err := server.UsageOfNodes(ctx)
		if failures.err(err) {
			return
		}
		now := time.Now()
		for _, node := range nodes {
			at := usage[node.Name].Timestamp.Time
			if last, ok := seen[node.Name]; ok && at.After(last) {
				// An answer that is not seen before the next one is begun is
				// late by more than any limit, and counted as such.
				delays = append(delays, max(0, now.Sub(node.Answered("/metrics/resource"))))
			}
			seen[node.Name] = at
		}
	})
	if failures.count > 0 {
		x.Errorf("%d lists failed, the first: %s", failures.count, failures.first)
	}
	return delays
}

// tryBombs is F14.
func tryBombs(x *trial) {
	const injected = "100 of 150 kubelets answer with 256 MiB, half of them compressed"
	w := x.world(150, 2)
	server := w.Serve(x, "--kubelet-gzip")
	good := truthOf(w.Nodes()[100:]...)
	good.within = 0.01
	x.wait(75 * time.Second) // Collection of garbage has its final setting by then.
	before, err := server.Resident()
	if err != nil {
		x.Fatal(err)
	}
	pid := server.Pid()
	for i, node := range w.Nodes()[:100] {
		node.SetFault(kubelettest.Fault{Path: "/metrics/resource", Bomb: 256 << 20, BombGzip: i%2 == 0})
	}
	peak, looks := before, 0
	x.every(50*time.Millisecond, time.Minute, func(ctx context.Context) {
		if now, err := server.Resident(); err == nil {
			peak = max(peak, now)
		}
		if looks++; looks%20 != 0 {
			return
		}
		if pods, err := server.Pods(ctx); !good.missing.err(err) {
			good.hold(pods, freshness)
		}
	})
	m, err := server.Metrics(x.Context())
	if err != nil {
		x.Fatal(err)
	}
	large, share := m.Sum("metrics_apiserver_scrape_failures_total", "too_large"), m.Sum("metrics_apiserver_scrape_failures_total", "no_share")
	x.figure("F14", injected, fmt.Sprintf("memory, from %d MiB", before>>20), fmt.Sprintf("+%d MiB", (peak-before)>>20), "+64 MiB", peak-before <= 64<<20)
	x.figure("F14", injected, "scrapes refused as too_large, no_share", fmt.Sprintf("%g, %g", large, share), fmt.Sprintf("at least %d", x.times(100)), large+share >= float64(x.times(100)))
	x.none("F14", injected, "answers of the others missing", &good.missing, good.answers)
	x.none("F14", injected, "answers of the others older than "+freshness.String(), &good.aged, good.answers)
	x.figure("F14", injected, "the same process", server.Pid() == pid, true, server.Pid() == pid)
}
