// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"time"

	"k8s.io/component-base/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Metrics are the sinks' self-metrics, read off the states whenever they are asked
// for. Their only label beside the reason is the sink's name, which is the file's.
type Metrics struct {
	metrics.BaseStableCollector
	set *Set

	accepted, sent, dropped, waiting, requests, retries, unknown, lag, disk, memory, fault, failing, shards, series, paused, handovers, overlap, gap, standby, standbyBytes *metrics.Desc
}

// NewMetrics are the metrics of a set.
func NewMetrics(set *Set) *Metrics {
	desc := func(name, help string, labels ...string) *metrics.Desc {
		return metrics.NewDesc("metrics_apiserver_remote_write_"+name, help, append([]string{"sink"}, labels...), nil, metrics.ALPHA, "")
	}
	return &Metrics{
		set:      set,
		accepted: desc("accepted_samples_total", "Number of samples written to the sink's queue."),
		sent:     desc("sent_samples_total", "Number of samples that the receiver has taken."),
		dropped:  desc("dropped_samples_total", "Number of samples that were not delivered, by reason. Those that are ambiguous may have been.", "reason"),
		waiting:  desc("waiting_samples", "Number of samples that are yet to be delivered."),
		requests: desc("requests_total", "Number of requests made."),
		retries:  desc("retries_total", "Number of requests that had to be repeated."),
		unknown:  desc("unknown_requests_total", "Number of requests without an answer, or with one of 5xx, which may have been stored and were repeated."),
		lag:      desc("lag_seconds", "Age of the newest sample delivered."),
		disk:     desc("queue_disk_bytes", "Bytes of the queue on disk."),
		memory:   desc("queue_memory_bytes", "Bytes of the queue in memory."),
		fault:    desc("queue_faulty", "Whether the queue's disk cannot be written (1) or can (0)."),
		failing:  desc("failing", "Whether the receiver does not take samples at the moment (1) or does (0)."),
		shards:   desc("shards", "Number of requests that may be made at once."),
		series:   desc("series", "Number of series that are shipped."),

		paused:       desc("paused", "Whether the sink ships (0), or does not, because another replica does or because it is not known whether one does (1)."),
		handovers:    desc("handovers_total", "Number of times that the sink has gone on where another replica had ended (clean) or was gone without a word (killed).", "how"),
		overlap:      desc("overlap_samples_total", "Number of samples that were sent although a replica that was gone without a word may have sent them, too."),
		gap:          desc("handover_gap_seconds_total", "Time of which nothing was kept when the sink went on where another replica was gone, and of which that one is not known to have delivered everything."),
		standby:      desc("standby_seconds", "How far back the samples reach that are kept while another replica ships."),
		standbyBytes: desc("standby_bytes", "Memory for the samples that are kept while another replica ships."),
	}
}

// DescribeWithStability is metrics.StableCollector's.
func (m *Metrics) DescribeWithStability(ch chan<- *metrics.Desc) {
	for _, d := range []*metrics.Desc{
		m.accepted, m.sent, m.dropped, m.waiting, m.requests, m.retries, m.unknown,
		m.lag, m.disk, m.memory, m.fault, m.failing, m.shards, m.series,
		m.paused, m.handovers, m.overlap, m.gap, m.standby, m.standbyBytes,
	} {
		ch <- d
	}
}

// CollectWithStability is metrics.StableCollector's.
func (m *Metrics) CollectWithStability(ch chan<- metrics.Metric) {
	for _, s := range m.set.States() {
		count := func(d *metrics.Desc, n int64, labels ...string) {
			ch <- metrics.NewLazyConstMetric(d, metrics.CounterValue, float64(n), append([]string{s.Name}, labels...)...)
		}
		gauge := func(d *metrics.Desc, v float64) {
			ch <- metrics.NewLazyConstMetric(d, metrics.GaugeValue, v, s.Name)
		}
		count(m.accepted, s.Accepted)
		count(m.sent, s.Sender.Sent)
		for reason, n := range dropped(&s) {
			count(m.dropped, n, reason)
		}
		count(m.requests, s.Sender.Requests)
		count(m.retries, s.Sender.Retries)
		count(m.unknown, s.Sender.Unknown)
		gauge(m.waiting, float64(s.Pending+s.Queue.Samples))
		if s.Sender.Newest != 0 {
			gauge(m.lag, s.Lag(time.Now()).Seconds())
		}
		gauge(m.disk, float64(s.Queue.DiskBytes))
		gauge(m.memory, float64(s.Queue.MemoryBytes))
		gauge(m.fault, oneIf(s.Queue.Fault != nil))
		gauge(m.failing, oneIf(s.Sender.Failure != ""))
		gauge(m.shards, float64(s.Lanes))
		gauge(m.series, float64(s.Series))
		gauge(m.paused, oneIf(s.Paused || s.Held))
		count(m.handovers, s.Handovers, "clean")
		count(m.handovers, s.Killed, "killed")
		count(m.overlap, s.Overlap)
		ch <- metrics.NewLazyConstMetric(m.gap, metrics.CounterValue, s.Gap.Seconds(), s.Name)
		reach := 0.0
		if s.StandbySince != 0 {
			reach = (storage.MillisOf(time.Now()) - s.StandbySince).Duration().Seconds()
		}
		gauge(m.standby, reach)
		gauge(m.standbyBytes, float64(s.StandbyBytes))
	}
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
