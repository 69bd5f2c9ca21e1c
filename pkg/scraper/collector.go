// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"errors"
	"sync/atomic"

	"k8s.io/component-base/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
)

// collector shows what others already count: the states of the targets and the
// node client's counters.
type collector struct {
	metrics.BaseStableCollector
	manager *Manager

	targets, inFlight, insecure                         *metrics.Desc
	connections, unverified, reloads, reloadsBad, bound *metrics.Desc
}

func newCollector(m *Manager) *collector {
	desc := func(name, help string, labels ...string) *metrics.Desc {
		return metrics.NewDesc("metrics_apiserver_scrape_"+name, help, labels, nil, metrics.ALPHA, "")
	}
	return &collector{
		manager:     m,
		targets:     desc("targets", "Nodes to scrape by the state of their last scrape.", "state"),
		inFlight:    desc("body_bytes_in_flight", "Memory taken by answers that are being read."),
		insecure:    desc("insecure_tls", "1 where nodes' certificates are not verified, else 0."),
		connections: desc("connections_total", "Connections to nodes that were opened."),
		unverified:  desc("unverified_connections_total", "Connections to nodes that were opened over TLS without verifying the node's certificate."),
		reloads:     desc("certificate_reloads_total", "Changes of the certificate files for nodes that were taken up."),
		reloadsBad:  desc("certificate_reload_failures_total", "Attempts to read the certificate files for nodes that failed."),
		bound:       desc("bound_reached_total", "Scrapes that failed for a bound, by the bound. What is too long within an answer is in refused_series_total.", "bound"),
	}
}

// DescribeWithStability implements metrics.StableCollector.
func (c *collector) DescribeWithStability(ch chan<- *metrics.Desc) {
	for _, d := range []*metrics.Desc{
		c.targets, c.inFlight, c.insecure, c.connections, c.unverified, c.reloads, c.reloadsBad, c.bound,
	} {
		ch <- d
	}
}

// CollectWithStability implements metrics.StableCollector.
func (c *collector) CollectWithStability(ch chan<- metrics.Metric) {
	gauge := func(d *metrics.Desc, v float64, labels ...string) {
		ch <- metrics.NewLazyConstMetric(d, metrics.GaugeValue, v, labels...)
	}
	count := func(d *metrics.Desc, v uint64, labels ...string) {
		ch <- metrics.NewLazyConstMetric(d, metrics.CounterValue, float64(v), labels...)
	}
	states := map[State]int{Pending: 0, Up: 0, Down: 0}
	for _, l := range c.manager.loops() {
		states[l.status.Load().State]++
	}
	for state, n := range states {
		gauge(c.targets, float64(n), string(state))
	}
	insecure := 0.0
	if c.manager.client.Insecure() {
		insecure = 1
	}
	gauge(c.insecure, insecure)
	counts := c.manager.client.Counts()
	gauge(c.inFlight, float64(counts.InFlightBytes))
	count(c.connections, counts.Connections)
	count(c.unverified, counts.Unverified)
	count(c.reloads, counts.Reloads)
	count(c.reloadsBad, counts.ReloadsFailed)
	count(c.bound, counts.HeaderTooLarge, "header_bytes")
	count(c.bound, counts.BodyTooLarge, "body_bytes")
	count(c.bound, counts.CompressedTooLarge, "compressed_bytes")
	count(c.bound, counts.NoShare, "bytes_in_flight")
	count(c.bound, counts.NoConnection, "connections")
	count(c.bound, c.manager.bounds.series.Load(), "series")
	count(c.bound, c.manager.bounds.containers.Load(), "containers")
}

// decoderBounds counts the answers that were refused whole for a bound of the
// decoder's.
type decoderBounds struct{ series, containers atomic.Uint64 }

// count counts err where it is of a bound.
func (b *decoderBounds) count(err error) {
	switch {
	case errors.Is(err, kubelet.ErrTooManySeries):
		b.series.Add(1)
	case errors.Is(err, kubelet.ErrTooManyContainers):
		b.containers.Add(1)
	}
}
