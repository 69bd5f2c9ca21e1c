// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package remotewrite

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/message"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/queue"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/sender"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// BenchmarkCommit is what a scrape of 1,000 series waits for, while the receiver
// hangs and while it does not.
func BenchmarkCommit(b *testing.B) {
	for name, status := range map[string]int{"taken": 0, "hanging": -1} {
		b.Run(name, func(b *testing.B) {
			s, stop := start(b, Options{Flush: time.Millisecond, Queue: queue.Options{Dir: b.TempDir(), MaxBytes: 64 << 20}}, answers(status))
			r := s.Receiver("n1", series.Cadvisor)
			batch := &series.Batch{Sent: now()}
			for i := range 1000 {
				batch.Handles = append(batch.Handles, r.Open(labelsOf(fmt.Sprintf("__name__=m%d_total,container=app,namespace=shop,pod=web-%d", i%50, i/50)), nil))
			}
			batch.Times, batch.Values = make([]storage.Millis, 1000), make([]float64, 1000)
			b.ReportAllocs()
			for b.Loop() {
				batch.Sent += 15_000
				for i := range batch.Times {
					batch.Times[i] = batch.Sent
				}
				r.Commit(batch, nil)
			}
			stop()
		})
	}
}

// BenchmarkShip is a million samples of 10,000 series, from the node to a receiver
// that reads and counts them, over HTTP and through a queue on disk. The receiver's
// CPU is in it.
func BenchmarkShip(b *testing.B) {
	for _, protocol := range []message.Protocol{message.V1, message.V2} {
		b.Run(protocol.String(), func(b *testing.B) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", "2000")
				w.WriteHeader(http.StatusNoContent)
			}))
			defer server.Close()
			transport := &http.Transport{MaxIdleConnsPerHost: 100}
			defer transport.CloseIdleConnections()
			o := Options{Name: "bench", MinLanes: 4, Queue: queue.Options{Dir: b.TempDir()}, Sender: sender.Options{URL: server.URL, Transport: transport, Protocol: protocol}}
			o.Target = func(node string, source series.Source) series.Labels {
				return series.TargetLabels(node, "10.0.0.1:10250", source)
			}
			s, err := New(o)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error)
			go func() { done <- s.Run(ctx) }()
			var receivers []series.Receiver
			var batches []*series.Batch
			for n := range 10 {
				r := s.Receiver(fmt.Sprintf("node-%d", n), series.Cadvisor)
				batch := &series.Batch{Times: make([]storage.Millis, 1000), Values: make([]float64, 1000)}
				for i := range 1000 {
					batch.Handles = append(batch.Handles, r.Open(labelsOf(fmt.Sprintf(
						"__name__=container_metric_%02d_total,container=app,id=/kubepods/burstable/pod%032x/%064x,image=registry.example/app:1.2.3,name=%064x,namespace=team-%d,pod=web-%d-%d",
						i%50, n*20+i/50, n*20+i/50, n*20+i/50, n%3, n, i/50)), &series.Metadata{Family: "m", Type: series.Counter, Help: "What it counts."}))
				}
				receivers, batches = append(receivers, r), append(batches, batch)
			}
			var before, after syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
				b.Fatal(err)
			}
			at := storage.Millis(1_700_000_000_000)
			rounds := 0
			b.ResetTimer()
			for range b.N {
				for range 100 {
					at += 15_000
					rounds++
					for i, batch := range batches {
						batch.Sent, batch.Received = at, at+30
						for j := range batch.Times {
							batch.Times[j], batch.Values[j] = at-storage.Millis(j), float64(rounds*j)/1000
						}
						receivers[i].Commit(batch, nil)
					}
					for s.State().Pending > 200_000 {
						runtime.Gosched()
					}
				}
			}
			for s.State().Pending > 0 && s.State().Accepted < int64(rounds)*10_000 || s.State().Queue.Records > 0 {
				time.Sleep(time.Millisecond)
			}
			b.StopTimer()
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
				b.Fatal(err)
			}
			samples := float64(s.State().Sender.Sent)
			used := time.Duration(after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano())
			b.ReportMetric(used.Seconds()/samples*1e6, "cpu-s/1M")
			b.ReportMetric(samples/b.Elapsed().Seconds(), "samples/s")
			b.ReportMetric(float64(s.State().Sender.SentBytes)/samples, "B/sample")
			cancel()
			if err := <-done; err != nil {
				b.Error(err)
			}
		})
	}
}

// answers is a receiver that reads nothing: it answers with a status, or hangs.
type answers int

// RoundTrip is http.RoundTripper's.
func (a answers) RoundTrip(request *http.Request) (*http.Response, error) {
	if a < 0 {
		<-request.Context().Done()
		return nil, request.Context().Err()
	}
	header := http.Header{"X-Prometheus-Remote-Write-Samples-Written": {"2000"}}
	return &http.Response{StatusCode: http.StatusNoContent, Status: "204", Header: header, Body: http.NoBody}, nil
}
