// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/fleet"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/listing"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/procfs"
)

// megabyte is the unit of memory in the report.
const megabyte = 1e6

// window is what a process used, and what the kubelets were asked, meanwhile.
type window struct {
	cpu, fleetCPU time.Duration
	length        time.Duration
	asked         fleet.Counters
}

// observe measures a process for some time.
func (s *site) observe(ctx context.Context, pid int, length time.Duration) (w window, err error) {
	begin := time.Now()
	read := func() (cpu, fleetCPU time.Duration, asked fleet.Counters, err error) {
		if asked, err = s.fleet.Counters(ctx); err != nil {
			return cpu, fleetCPU, asked, err
		}
		if fleetCPU, err = procfs.CPU(s.kubelets.ID().Pid); err != nil {
			return cpu, fleetCPU, asked, err
		}
		cpu, err = procfs.CPU(pid)
		return cpu, fleetCPU, asked, err
	}
	cpu, fleetCPU, asked, err := read()
	if err != nil {
		return w, err
	}
	if err := pause(ctx, length); err != nil {
		return w, err
	}
	if w.cpu, w.fleetCPU, w.asked, err = read(); err != nil {
		return w, err
	}
	w.length = time.Since(begin)
	w.cpu, w.fleetCPU = w.cpu-cpu, w.fleetCPU-fleetCPU
	w.asked.Resource -= asked.Resource
	w.asked.Summary -= asked.Summary
	w.asked.Cadvisor -= asked.Cadvisor
	w.asked.Bytes -= asked.Bytes
	w.asked.Sent -= asked.Sent
	if w.asked.Resource == 0 {
		return w, fmt.Errorf("no kubelet was asked within %v", length)
	}
	return w, nil
}

// perScrape is the process's CPU time for each scrape of a node, in ms.
func (w window) perScrape() float64 { return w.cpu.Seconds() * 1e3 / float64(w.asked.Resource) }

// steady measures a server that has come to rest.
func (s *server) steady(ctx context.Context, o Options, v values) error {
	before, err := s.allocated(ctx)
	if err != nil {
		return err
	}
	w, err := s.site.observe(ctx, s.pid(), o.Steady)
	if err != nil {
		return err
	}
	v.add(cpuPerScrape, w.perScrape())
	requests := float64(w.asked.Resource + w.asked.Summary + w.asked.Cadvisor)
	v.add(requestsPerMinute, requests/float64(s.site.world.Nodes)/w.length.Minutes())
	v.add(bytesPerAnswer, float64(w.asked.Bytes)/requests/1e3)
	v.add(sentPerAnswer, float64(w.asked.Sent)/requests/1e3)
	v.add(bytesPerScrape, float64(w.asked.Bytes)/float64(w.asked.Resource)/1e3)
	v.add(fleetPerScrape, w.fleetCPU.Seconds()*1e3/float64(w.asked.Resource))
	after, err := s.allocated(ctx)
	if err != nil {
		return err
	}
	v.add(allocatedPerScrape, (after.bytes-before.bytes)/float64(w.asked.Resource)/1e3)
	v.add(collectionsPerMinute, (after.collections-before.collections)/w.length.Minutes())
	m, err := procfs.MemoryOf(s.pid())
	if err != nil {
		return err
	}
	v.add(steadyRSS, float64(m.RSS)/megabyte)
	v.add(steadyAnonymous, float64(m.Anonymous)/megabyte)
	fmt.Fprintf(o.Progress, "%s: %.3f ms of CPU a scrape over %d scrapes, %.0f MB resident, %.0f MB anonymous, %.1f kB allocated a scrape, %.1f garbage collections a minute; the kubelets used %.1f %% of a CPU\n",
		s.name, w.perScrape(), w.asked.Resource, float64(m.RSS)/megabyte, float64(m.Anonymous)/megabyte,
		v.last(allocatedPerScrape), v.last(collectionsPerMinute), 100*w.fleetCPU.Seconds()/w.length.Seconds())
	return nil
}

// ages measures how old samples are when they are served, in lists at several
// moments of the scrapes' period.
func (s *server) ages(ctx context.Context, o Options, v values) error {
	lists := o.AgeLists
	var ages []time.Duration
	for n := range lists {
		if n > 0 {
			if err := pause(ctx, o.Resolution*6/5/time.Duration(lists)); err != nil {
				return err
			}
		}
		body, result, err := s.client.Fetch(ctx, fullList(listing.Protobuf, false))
		if err != nil {
			return err
		}
		list, err := decodeList(body)
		if err != nil {
			return err
		}
		for i := range list.Items {
			ages = append(ages, result.Begin.Sub(list.Items[i].Timestamp.Time))
		}
	}
	slices.Sort(ages)
	v.add(age50, listing.Quantile(ages, 0.5).Seconds())
	v.add(age99, listing.Quantile(ages, 0.99).Seconds())
	v.add(servedPods, float64(len(ages)/lists))
	return nil
}

// pause waits, or returns early with the context's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
