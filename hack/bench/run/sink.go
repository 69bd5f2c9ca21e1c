// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/counting"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/listing"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/shipping"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/process"
)

const (
	// sinkNodes nodes of 30 pods of 2 containers have 10,000 series in
	// /metrics/resource.
	sinkNodes, sinkPods, sinkContainers = 27, 30, 2
	// pacedRate is how many samples a second are shipped where CPU time is measured:
	// far from what goes, so that nothing is waited for.
	pacedRate = 50_000
	// sinkWindow is the longest window of servers with sinks, sinkWarmup the longest
	// time before it.
	sinkWindow, sinkWarmup = 90 * time.Second, 45 * time.Second
	// turns is how often the servers with and without a sink are asked in turn.
	turns = 8
)

// sinkFigures are the figures of remote-write: of a sink alone, of servers that ship
// to a receiver, to one that hangs and to none, and of Prometheus' agent.
type sinkFigures struct {
	alone, none, resource, cadvisor, hanging, agent values
}

func newSinkFigures() sinkFigures {
	return sinkFigures{alone: values{}, none: values{}, resource: values{}, cadvisor: values{}, hanging: values{}, agent: values{}}
}

// measureSink measures remote-write, in a world of its own.
func (f *sinkFigures) measure(ctx context.Context, o Options, dir string, p *programs) (err error) {
	dir = filepath.Join(dir, sink)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("measure the sink: %w", err)
	}
	port, err := cluster.FreePort("127.0.0.1")
	if err != nil {
		return err
	}
	address := "127.0.0.1:" + strconv.Itoa(port)
	receiver, err := process.Start(process.Spec{Name: "counting", Argv: []string{p.counting, "-listen=" + address}, LogFile: filepath.Join(dir, "counting.log")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, receiver.Failure(), receiver.Kill()) }()
	to := counting.Remote{URL: "http://" + address}
	err = await(ctx, 10*time.Second, "the receiver to listen", func(ctx context.Context) error {
		_, err := to.Counts(ctx, "/")
		return errors.Join(err, receiver.Failure())
	})
	if err != nil {
		return err
	}
	if err := f.ship(ctx, o, dir, p, to); err != nil {
		return err
	}
	o.Nodes, o.Pods, o.Containers = sinkNodes, sinkPods, sinkContainers
	s, err := newSite(ctx, o, dir, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	return f.beside(ctx, o, s, to)
}

// ship measures a sink without a server around it: its CPU time at an even pace,
// and how much goes.
func (f *sinkFigures) ship(ctx context.Context, o Options, dir string, p *programs, to counting.Remote) error {
	run := func(name string, samples, rate int) (r shipping.Result, err error) {
		out, err := exec.CommandContext(ctx, p.shipping, "-url="+to.URL+"/"+name, "-dir="+filepath.Join(dir, name), "-recording="+p.recording,
			"-samples="+strconv.Itoa(samples), "-rate="+strconv.Itoa(rate)).Output()
		if err != nil {
			return r, explained("ship samples", err)
		}
		if err := json.Unmarshal(out, &r); err != nil {
			return r, fmt.Errorf("ship samples: %w", err)
		}
		return r, nil
	}
	paced, err := run("paced", o.SinkSamples, pacedRate)
	if err != nil {
		return err
	}
	f.alone.add(cpuPerMillion, perMillion(paced.CPU, paced.Samples))
	f.alone.add(bytesPerSample, float64(paced.Bytes)/float64(paced.Samples))
	most, err := run("most", 5*o.SinkSamples, 0)
	if err != nil {
		return err
	}
	f.alone.add(cpuPerMillionAtMost, perMillion(most.CPU, most.Samples))
	f.alone.add(samplesPerSecond, float64(most.Samples)/most.Elapsed.Seconds())
	fmt.Fprintf(o.Progress, "a sink alone, of %d series: %.2f s of CPU and %.1f MB a million samples at %d samples/s; %.2f s at %.0f samples/s\n", paced.Series,
		f.alone.last(cpuPerMillion), f.alone.last(bytesPerSample), pacedRate, f.alone.last(cpuPerMillionAtMost), f.alone.last(samplesPerSecond))
	return nil
}

// explained is an error with what the program said.
func explained(what string, err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return fmt.Errorf("%s: %w: %s", what, err, exit.Stderr)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func perMillion(cpu time.Duration, samples int64) float64 {
	return cpu.Seconds() / float64(samples) * 1e6
}

// beside measures servers with and without sinks, and Prometheus' agent, all over one
// window: on a machine whose speed changes from minute to minute, only such figures
// can be compared.
func (f *sinkFigures) beside(ctx context.Context, o Options, s *site, to counting.Remote) (err error) {
	subjects := []*sinkSubject{
		{name: "none", values: f.none},
		{name: "resource", sources: "[resource]", values: f.resource},
		{name: "cadvisor", sources: "[resource, cadvisor]", values: f.cadvisor},
		{name: "hanging", sources: "[resource]", path: counting.HangPath, values: f.hanging},
		{name: "agent", agent: true, values: f.agent},
	}
	defer func() {
		for _, subject := range subjects {
			err = errors.Join(err, subject.stop())
		}
	}()
	for _, subject := range subjects {
		if err := subject.start(o, s, to); err != nil {
			return err
		}
	}
	for _, subject := range subjects {
		if err := subject.await(ctx); err != nil {
			return err
		}
	}
	if err := pause(ctx, min(sinkWarmup, max(o.Warmup, o.Resolution))); err != nil {
		return err
	}
	group, inner := errgroup.WithContext(ctx)
	for _, subject := range subjects {
		group.Go(func() error { return subject.observe(inner, o, to) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, subject := range subjects {
		fmt.Fprintf(o.Progress, "remote-write, %s: %.0f MB resident, %.2f %% of a CPU, %.0f samples delivered\n", subject.name,
			subject.values.last(steadyRSS), subject.values.last(cpuShare), subject.values.last(delivered))
	}
	return inTurn(ctx, o, subjects[0], subjects[3])
}

// inTurn asks two servers for what an HPA asks for, by turns.
func inTurn(ctx context.Context, o Options, a, b *sinkSubject) error {
	times := map[*sinkSubject][]time.Duration{}
	for range turns {
		for _, subject := range []*sinkSubject{a, b} {
			some, _, err := listing.OneByOne(ctx, subject.server.client, subject.server.site.hpaList(), o.HPALists/turns, listLimit/turns)
			if err != nil {
				return err
			}
			times[subject] = append(times[subject], some...)
		}
	}
	for subject, all := range times {
		subject.values.add(hpa50, millis(quantile(all, 0.5)))
		subject.values.add(hpa99, millis(quantile(all, 0.99)))
	}
	fmt.Fprintf(o.Progress, "an HPA's list, with no sink and with one that hangs: p50 %.3f and %.3f ms, p99 %.3f and %.3f ms\n",
		a.values.last(hpa50), b.values.last(hpa50), a.values.last(hpa99), b.values.last(hpa99))
	return nil
}
