// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/chaos/rig"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// leastAnswered is how many of the pods that run an answer must have in a soak, in
// percent. Some have come just now, and of some the kubelet has failed for longer than
// the staleness bound.
const leastAnswered = 80

// trySoak is churn of everything at once for a long time, in which what the
// server holds must stay flat.
func trySoak(x *trial) {
	lasts := x.lasting(*soak)
	injected := fmt.Sprintf("%v: 100 nodes of 5 pods; every second 2 nodes come and 2 go, 3 pods are replaced, 10 containers restart, 2 kubelets fail for a while, 10 clients come anew; every 20 s other rules and another certificate", lasts)
	w := x.world(100, 5)
	s := &soaking{x: x, w: w, dir: x.TempDir()}
	s.write()
	server := w.Serve(x, "--custom-metrics", "--config="+s.path("config.yaml"), "--tls-cert-file="+s.path("tls.crt"), "--tls-private-key-file="+s.path("tls.key"))
	s.server = server
	pid := server.Pid()
	ctx, stop := context.WithCancel(x.Context())
	var group sync.WaitGroup
	for _, part := range []func(context.Context, int){s.nodes, s.pods, s.restarts, s.faults, s.clients, s.reloads} {
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
	answered := Series{Name: "running pods that an answer has, %"}
	for begun := time.Now(); time.Since(begun) < lasts && x.Context().Err() == nil; x.wait(max(time.Second, lasts/240)) {
		now, err := server.Stats(x.Context())
		if err != nil {
			x.Fatal(err)
		}
		pods, err := server.Pods(x.Context())
		if err != nil {
			x.Fatal(err)
		}
		moments, stats = append(moments, time.Since(begun)), append(stats, now)
		answered.Values = append(answered.Values, 100*float64(len(pods))/float64(w.RunningPods()))
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
		if third := len(line.Values) / 3; third > 0 {
			first, last := median(line.Values[:third]), median(line.Values[len(line.Values)-third:])
			limit := first*1.05 + f.slack
			line.Limit = limit
			line.Note = fmt.Sprintf("median of the first third %.4g, of the last %.4g; limit for the last (dashed) %.4g", first, last, limit)
			x.figure(soakID, injected, f.name+", median of the last third", fmt.Sprintf("%.4g", last), fmt.Sprintf("%.4g (first third: %.4g)", limit, first), last <= limit)
		}
		drawn = append(drawn, line)
	}
	answered.Note = fmt.Sprintf("median %.4g, least %.4g; at least (dashed) %d", median(answered.Values), slices.Min(answered.Values), leastAnswered)
	answered.Limit = leastAnswered
	x.figure(soakID, injected, answered.Name+", least", fmt.Sprintf("%.4g (median: %.4g)", slices.Min(answered.Values), median(answered.Values)), leastAnswered, slices.Min(answered.Values) >= leastAnswered)
	drawn = append(drawn, answered)
	s.mu.Lock()
	defer s.mu.Unlock()
	x.none(soakID, injected, "requests that failed", &s.failures, s.requests)
	x.figure(soakID, injected, "the same process", server.Pid() == pid, true, server.Pid() == pid)
	if *out != "" {
		title, file := fmt.Sprintf("Soak of %v", lasts), fmt.Sprintf("soak-%v.svg", lasts)
		if err := os.WriteFile(filepath.Join(*out, file), []byte(SVG(title, injected, moments, drawn...)), 0o644); err != nil {
			x.Error(err)
		}
		x.report.AddPlot(Plot{File: file, Title: title})
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
	// dir has the files that are reloaded, which have been written that often.
	dir     string
	written int

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

// reloads replaces the configuration and the serving certificate every 20 s, and
// asks for what the rules make.
func (s *soaking) reloads(ctx context.Context, i int) {
	if i%20 == 19 {
		s.write()
	}
	for _, metric := range []string{"resident_bytes", "odd_bytes"} {
		status, _, err := s.server.Get(ctx, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/"+s.w.Namespace+"/pods/*/"+metric)
		// One of the two is there in every other configuration only.
		if err == nil && (status == http.StatusOK || status == http.StatusNotFound) {
			s.note(ctx, nil)
		} else {
			s.note(ctx, fmt.Errorf("ask for %s: %w", metric, errors.Join(err, ok(status, nil))))
		}
	}
}

func (s *soaking) path(name string) string { return filepath.Join(s.dir, name) }

// write writes a new certificate, and the configuration with other rules than
// before.
func (s *soaking) write() {
	s.written++
	rules := fmt.Sprintf(`apiVersion: metrics-apiserver/v1alpha1
kind: Configuration
rules:
- {name: resident_bytes, attach: {resource: pods}, expr: %d * sum by (pod) (container_memory_working_set_bytes)}
`, s.written)
	if s.written%2 == 1 {
		rules += "- {name: odd_bytes, attach: {resource: pods}, expr: 'sum by (pod) (avg_over_time(container_memory_working_set_bytes[1m]))'}\n"
	}
	cert, key, err := s.x.site.CA().Server("metrics-server", "127.0.0.1")
	for name, text := range map[string][]byte{"config.yaml": []byte(rules), "tls.key": key, "tls.crt": cert} {
		// In one step, or half of a file could be read.
		if err == nil {
			err = os.WriteFile(s.path(name+".new"), text, 0o600)
		}
		if err == nil {
			err = os.Rename(s.path(name+".new"), s.path(name))
		}
	}
	if err != nil {
		s.x.Error(err)
	}
}
