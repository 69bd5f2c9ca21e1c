// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/counting"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/listing"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/procfs"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/report"
	"github.com/metrics-apiserver/metrics-apiserver/hack/process"
)

// A sinkSubject is a process that ships, or is held against one that does.
type sinkSubject struct {
	name string
	// sources are what our server ships; empty is that it has no sink.
	sources string
	// path is where it ships to; empty is a path of its own.
	path string
	// agent says that it is Prometheus' agent.
	agent  bool
	values values

	process *process.Process
	// server is nil for the agent.
	server *server
}

// start starts the process.
func (j *sinkSubject) start(o Options, s *site, to counting.Remote) error {
	if j.path == "" {
		j.path = "/" + j.name
	}
	if j.agent {
		return j.startAgent(o, s, to)
	}
	var more []string
	if j.sources != "" {
		file := filepath.Join(s.dir, j.name+".yaml")
		text := fmt.Sprintf("apiVersion: metrics-apiserver/v1alpha1\nkind: Configuration\nremoteWrite:\n- url: %s\n  sources: %s\n  queue_directory: %s\n",
			to.URL+j.path, j.sources, filepath.Join(s.dir, "queue-"+j.name))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return fmt.Errorf("configure %s: %w", j.name, err)
		}
		more = append(more, "--config="+file)
	}
	server, err := s.startServer("sink-"+j.name, o, more...)
	if err != nil {
		return err
	}
	j.server, j.process = server, server.process
	return nil
}

// await waits until a server has read all nodes.
func (j *sinkSubject) await(ctx context.Context) error {
	if j.server == nil {
		return nil
	}
	_, err := j.server.firstList(ctx)
	return err
}

// startAgent starts Prometheus' agent with the targets that our server has, the same
// labels, and the same protocol.
func (j *sinkSubject) startAgent(o Options, s *site, to counting.Remote) error {
	var b strings.Builder
	fmt.Fprintf(&b, "global: {scrape_interval: %v}\nremote_write:\n- {url: %q, protobuf_message: io.prometheus.write.v2.Request}\nscrape_configs:\n", o.Resolution, to.URL+j.path)
	for _, path := range []string{"/metrics/resource", "/metrics/cadvisor"} {
		fmt.Fprintf(&b, "- job_name: %s\n  scheme: https\n  metrics_path: %s\n  honor_labels: true\n  authorization: {credentials_file: %s}\n  tls_config: {ca_file: %s}\n  relabel_configs:\n  - {target_label: job, replacement: kubelet}\n  - {target_label: metrics_path, replacement: %s}\n  static_configs:\n",
			filepath.Base(path), path, s.token, filepath.Join(s.dir, "kubelet-ca.crt"), path)
		for i := range s.world.Nodes {
			fmt.Fprintf(&b, "  - targets: ['%v:%d']\n    labels: {node: %s, endpoint: https-metrics, service: kubelet, namespace: kube-system}\n", s.world.Address(i), s.port, s.world.Node(i))
		}
	}
	file := filepath.Join(s.dir, "agent.yml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("configure the agent: %w", err)
	}
	var err error
	j.process, err = s.start(j.name, s.programs.agent, "-config="+file, "-dir="+filepath.Join(s.dir, "agent-data"))
	return err
}

func (j *sinkSubject) stop() error {
	if j.process == nil {
		return nil
	}
	err := j.process.Failure()
	if j.server != nil {
		return errors.Join(err, j.server.stop())
	}
	return errors.Join(err, j.process.Kill())
}

// observe measures the process over the window.
func (j *sinkSubject) observe(ctx context.Context, o Options, to counting.Remote) error {
	pid := j.process.ID().Pid
	begin := time.Now()
	cpu, err := procfs.CPU(pid)
	if err != nil {
		return err
	}
	before, err := to.Counts(ctx, j.path)
	if err != nil {
		return err
	}
	tapped, err := j.tapped(ctx)
	if err != nil {
		return err
	}
	var resident []float64
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		resident, err = residents(inner, pid, min(o.Steady, sinkWindow))
		return err
	})
	if j.server != nil {
		group.Go(func() error { return j.server.ages(inner, o, j.values) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	after, err := to.Counts(ctx, j.path)
	if err != nil {
		return err
	}
	end, err := procfs.CPU(pid)
	if err != nil {
		return err
	}
	median, _ := report.Median(resident)
	j.values.add(steadyRSS, median)
	j.values.add(cpuShare, 100*(end-cpu).Seconds()/time.Since(begin).Seconds())
	j.values.add(delivered, float64(after.Samples-before.Samples))
	if after.Samples > before.Samples {
		j.values.add(cpuPerMillion, perMillion(end-cpu, after.Samples-before.Samples))
	}
	if now, err := j.tapped(ctx); err != nil || now.samples > tapped.samples {
		j.values.add(tapPerSample, (now.seconds-tapped.seconds)/(now.samples-tapped.samples)*1e9)
		j.values.add(seriesShipped, now.series)
		return err
	}
	return nil
}

// residents is the resident memory of a process, in MB, every second for a while.
func residents(ctx context.Context, pid int, length time.Duration) ([]float64, error) {
	var all []float64
	for end := time.Now().Add(length); time.Now().Before(end); {
		m, err := procfs.MemoryOf(pid)
		if err != nil {
			return nil, err
		}
		all = append(all, float64(m.RSS)/megabyte)
		if err := pause(ctx, time.Second); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// tapped is what consumers of series have taken of a server, and for how long.
type tapped struct{ samples, seconds, series float64 }

// tapped reads it off the server's own metrics, of /metrics/resource.
func (j *sinkSubject) tapped(ctx context.Context) (t tapped, err error) {
	if j.server == nil {
		return t, nil
	}
	admin := listing.New(j.server.url, j.server.site.identity.As("admin", "system:masters"))
	defer admin.Close()
	body, _, err := admin.Fetch(ctx, listing.Request{Path: "/metrics", Encoding: "text/plain"})
	if err != nil {
		return t, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(body)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		number, _ := strconv.ParseFloat(value, 64)
		switch name {
		case `metrics_apiserver_scrape_series_samples_total{source="resource"}`:
			t.samples = number
		case `metrics_apiserver_scrape_series_seconds_total{source="resource"}`:
			t.seconds = number
		case `metrics_apiserver_remote_write_series{sink="remote-write-1"}`:
			t.series = number
		}
	}
	return t, nil
}

// quantile is that of times in any order.
func quantile(times []time.Duration, q float64) time.Duration {
	slices.Sort(times)
	return listing.Quantile(times, q)
}
