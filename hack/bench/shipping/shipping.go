// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package shipping

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/queue"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/sender"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// Options are what to ship.
type Options struct {
	// URL is where samples are posted to.
	URL string
	// Dir is the directory of the queue.
	Dir string
	// Recording is the directory of a kubelet's recorded answers.
	Recording string
	// Nodes is how many kubelets there are, of 1,771 series each.
	Nodes int
	// Samples is how many are shipped, and Rate how many a second; 0 is as many as
	// go.
	Samples, Rate int
}

// Result is what it took.
type Result struct {
	Series int
	// Samples is how many the receiver has taken.
	Samples int64
	// CPU is this process's time, Elapsed the time until the last was delivered.
	CPU, Elapsed time.Duration
	// Bytes is the size of the bodies.
	Bytes int64
}

const (
	// resolution is how far apart the times of two scrapes are.
	resolution = 15_000
	// lanes is how many requests are made at once. 10,000 series in four lanes fill
	// bodies of 2,000 samples, of which each is of another series.
	lanes = 4
	// ahead is how many samples may wait to be put into bodies. A server does not
	// wait: there, what is too much is dropped and counted.
	ahead = 100_000
	// lastDeadline is how long a sample waits at most for its body to be full where as
	// many are shipped as go: only the last ones wait, and they are waited for. At a pace
	// it is the sink's own, since a lane that lacks some samples gets them with the next
	// answers.
	lastDeadline = 200 * time.Millisecond
	// poll is how often is looked whether fewer do.
	poll = time.Millisecond
)

// Run ships and says what it took. What was begun before the first answer is
// delivered is not counted.
func Run(ctx context.Context, o Options) (r Result, err error) {
	recorded, err := readRecording(o.Recording)
	if err != nil {
		return r, err
	}
	var deadline time.Duration
	if o.Rate == 0 {
		deadline = lastDeadline
	}
	transport := &http.Transport{MaxIdleConnsPerHost: lanes}
	defer transport.CloseIdleConnections()
	sink, err := remotewrite.New(remotewrite.Options{
		Name: "bench", Sources: series.SourceSetOf(series.Cadvisor), MinLanes: lanes, MaxLanes: lanes, Deadline: deadline,
		Target: func(node string, source series.Source) series.Labels {
			return series.TargetLabels(node, "10.0.0.1:10250", source)
		},
		Queue:  queue.Options{Dir: o.Dir, MaxBytes: 4 << 30},
		Sender: sender.Options{URL: o.URL, Transport: transport, UserAgent: "metrics-apiserver/bench"},
	})
	if err != nil {
		return r, fmt.Errorf("make the sink: %w", err)
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- sink.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-done)
	}()
	f := newFleet(recorded, sink, o.Nodes)
	if err := f.scrape(); err != nil {
		return r, err
	}
	if err := delivered(ctx, sink); err != nil {
		return r, err
	}
	begin, before := time.Now(), sink.State()
	cpu, err := used()
	if err != nil {
		return r, err
	}
	for f.samples < int64(o.Samples) {
		if err := f.wait(ctx, o.Rate, begin); err != nil {
			return r, err
		}
		if err := f.scrape(); err != nil {
			return r, err
		}
	}
	if err := delivered(ctx, sink); err != nil {
		return r, err
	}
	r.Elapsed = time.Since(begin)
	if r.CPU, err = used(); err != nil {
		return r, err
	}
	after := sink.State()
	r.CPU -= cpu
	r.Series, r.Samples, r.Bytes = after.Series, after.Sender.Sent-before.Sender.Sent, after.Sender.SentBytes-before.Sender.SentBytes
	if lost := after.Overrun + after.OutOfOrder + after.Sender.Dropped[sender.Rejected]; lost > 0 || after.Queue.Fault != nil {
		return r, fmt.Errorf("ship: %d samples are lost (queue: %w)", lost, after.Queue.Fault)
	}
	return r, nil
}

// fleet is the nodes.
type fleet struct {
	sink    *remotewrite.Sink
	nodes   []*node
	rounds  int
	samples int64 // Since the first round.
}

type node struct {
	*answer
	stream *kubelet.SeriesStream
}

func newFleet(recorded []byte, sink *remotewrite.Sink, nodes int) *fleet {
	f := &fleet{sink: sink}
	decoder := kubelet.NewSeriesDecoder(kubelet.Options{})
	for i := range nodes {
		name := fmt.Sprintf("node-%05d", i)
		n := &node{answer: newAnswer(recorded, i), stream: decoder.Stream(name, series.Cadvisor)}
		n.stream.Attach(sink.Receiver(name, series.Cadvisor))
		f.nodes = append(f.nodes, n)
	}
	return f
}

// scrape has each node say something new.
func (f *fleet) scrape() error {
	at := storage.Millis(1_700_000_000_000 + f.rounds*resolution)
	for _, n := range f.nodes {
		n.advance(f.rounds, at)
		stats, err := n.stream.Decode(kubelet.SeriesAnswer{Body: n.body, Sent: at + 10, Received: at + 40})
		if err != nil {
			return fmt.Errorf("ship: %w", err)
		}
		if f.rounds > 0 {
			f.samples += int64(stats.Samples)
		}
	}
	f.rounds++
	return nil
}

// wait waits until the next scrape is due.
func (f *fleet) wait(ctx context.Context, rate int, begin time.Time) error {
	if rate > 0 {
		due := begin.Add(time.Duration(float64(f.samples) / float64(rate) * float64(time.Second)))
		if err := pause(ctx, time.Until(due)); err != nil {
			return err
		}
	}
	for f.sink.State().Pending > ahead {
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
	return nil
}

// delivered waits until the receiver has all.
func delivered(ctx context.Context, sink *remotewrite.Sink) error {
	for {
		s := sink.State()
		if s.Pending == 0 && s.Queue.Records == 0 {
			return nil
		}
		if s.Sender.Failure != "" {
			return fmt.Errorf("ship: %s", s.Sender.Failure)
		}
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
}

// pause waits, or returns early with the context's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(0, d))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// used is the CPU time of this process.
func used() (time.Duration, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, fmt.Errorf("read the CPU time: %w", err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}
