// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// fill has 100,000 series of a hundred nodes and a thousand namespaces in it, with
// five minutes of samples.
func fill(b *testing.B, r *Recent) (receivers []Receiver, batches []Batch, now storage.Millis) {
	b.Helper()
	for n := range 100 {
		receiver := r.Receiver(fmt.Sprint("node-", n), Cadvisor)
		batch := Batch{Node: fmt.Sprint("node-", n)}
		for i := range 1000 {
			pod := fmt.Sprintf("pod-%d-%d", n, i/10)
			h := receiver.Open(Labels{
				{NameLabel, "container_network_receive_bytes_total"},
				{"id", "/kubepods/burstable/pod2827da3b-bc07-4e5e-a07a-" + pod},
				{"image", "registry.example/pause:3.10"},
				{"interface", fmt.Sprint("eth", i%10)},
				{"name", "39f78291be8604b6e99cbfca6f64efd7" + pod},
				{"namespace", fmt.Sprint("namespace-", (n*100+i/10)%1000)},
				{"pod", pod},
			}, &Metadata{})
			batch.Handles = append(batch.Handles, h)
		}
		batch.Times, batch.Values = make([]storage.Millis, 1000), make([]float64, 1000)
		receivers, batches = append(receivers, receiver), append(batches, batch)
	}
	for range 40 {
		now += 15_000
		commit(receivers, batches, now)
	}
	return receivers, batches, now
}

func commit(receivers []Receiver, batches []Batch, now storage.Millis) {
	for n := range receivers {
		b := &batches[n]
		b.Sent, b.Received = now, now
		for i := range b.Times {
			b.Times[i], b.Values[i] = now, float64(now)
		}
		receivers[n].Commit(b, nil)
	}
}

func newFilled(b *testing.B) *Recent {
	b.Helper()
	return newTestRecent(b, RecentOptions{MaxBytes: 1 << 30}, Selector{Name: "container_network_receive_bytes_total", Range: 5 * 60_000})
}

// BenchmarkRecentCommit takes in an answer of a hundred nodes, all of it new.
func BenchmarkRecentCommit(b *testing.B) {
	r := newFilled(b)
	receivers, batches, now := fill(b, r)
	for b.Loop() {
		now += 15_000
		commit(receivers, batches, now)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/sample")
}

// BenchmarkRecentCommitSame takes in answers whose samples are those of before.
func BenchmarkRecentCommitSame(b *testing.B) {
	receivers, batches, now := fill(b, newFilled(b))
	for b.Loop() {
		commit(receivers, batches, now)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/sample")
}

// BenchmarkRecentSelect selects one namespace of a thousand, a hundred series.
func BenchmarkRecentSelect(b *testing.B) {
	r := newFilled(b)
	_, _, now := fill(b, r)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n = 0
		r.Select("namespace-7", "container_network_receive_bytes_total", nil, now-120_000, now, func(p Points) bool {
			n += len(p.Times)
			return true
		})
	}
	b.ReportMetric(float64(n), "samples")
}

// BenchmarkRecentMemory says what a series of five minutes takes.
func BenchmarkRecentMemory(b *testing.B) {
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		r := newFilled(b)
		before := heap()
		receivers, batches, now := fill(b, r)
		after := heap()
		n := 0
		r.Select("", "", nil, now-5*60_000, now, func(p Points) bool {
			n += len(p.Times)
			return true
		})
		points := int64(0)
		for _, ring := range r.mu.rings {
			points += ring.bytes.Load()
		}
		b.ReportMetric(float64(points)/float64(n), "B/sample")
		b.ReportMetric((after-before)/100_000, "B/series")
		b.ReportMetric(float64(r.bytes.Load())/100_000, "accounted-B/series")
		runtime.KeepAlive(receivers)
		runtime.KeepAlive(batches)
	}
}
