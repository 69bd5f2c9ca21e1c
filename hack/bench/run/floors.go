// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/floor"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/procfs"
	"github.com/metrics-apiserver/metrics-apiserver/hack/process"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
)

// settling is how long a process is left alone before its memory is read.
const settling = 5 * time.Second

// floorOf is what a floor does: documents of each node, none being the resource
// metrics, over a transport, and whether each node at a moment of its own.
type floorOf struct {
	transport floor.Transport
	alone     bool
	documents []string
}

// floors measures what getting the same bytes costs at least, over each
// transport in turn and with each node alone.
func (s *site) floors(ctx context.Context, o Options, v map[floor.Transport]values, alone values) error {
	for _, name := range o.Transports {
		transport := floor.Transport(name)
		if err := s.floor(ctx, o, floorOf{transport: transport}, v[transport]); err != nil {
			return err
		}
	}
	return s.floor(ctx, o, floorOf{transport: floor.NodeClient, alone: true}, alone)
}

// floor measures one floor.
func (s *site) floor(ctx context.Context, o Options, of floorOf, v values) (err error) {
	started := floor.Options{World: s.world}.Started()
	p, err := s.startFloor(o, of)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Failure(), p.Kill()) }()
	// Its first requests shake hands, which is no part of a scrape.
	if err := pause(ctx, started+o.Resolution); err != nil {
		return err
	}
	w, err := s.observe(ctx, p.ID().Pid, o.FloorSteady)
	if err != nil {
		return err
	}
	m, err := procfs.MemoryOf(p.ID().Pid)
	if err != nil {
		return err
	}
	v.add(cpuPerScrape, w.perScrape())
	v.add(steadyAnonymous, float64(m.Anonymous)/megabyte)
	how := string(of.transport)
	if of.alone {
		how += ", each node alone"
	}
	fmt.Fprintf(o.Progress, "floor over %s: %.3f ms of CPU a scrape over %d scrapes, %.0f MB anonymous\n",
		how, w.perScrape(), w.asked.Resource, v.last(steadyAnonymous))
	return nil
}

// startFloor starts the process of a floor.
func (s *site) startFloor(o Options, of floorOf) (*process.Process, error) {
	args := []string{
		"-nodes=" + strconv.Itoa(s.world.Nodes), "-port=" + strconv.Itoa(s.port), "-resolution=" + o.Resolution.String(),
		"-ca=" + filepath.Join(s.dir, "kubelet-ca.crt"), "-token=" + s.token, "-transport=" + string(of.transport), "-alone=" + strconv.FormatBool(of.alone),
	}
	documents := of.documents
	if len(documents) == 0 {
		documents = []string{s.resource()}
	}
	for _, document := range documents {
		args = append(args, "-document="+document)
	}
	return s.start("floor-"+string(of.transport), s.programs.floor, args...)
}

// resource is the resource metrics as the product asks for them.
func (s *site) resource() string {
	if s.world.Selecting {
		return floor.Resource + "?" + kubelet.ResourceQuery
	}
	return floor.Resource
}

// beside measures a server and the floor over nodeclient in one window: on a machine
// whose speed changes from minute to minute, only such figures can be compared.
func (s *server) beside(ctx context.Context, o Options, v, least values) (err error) {
	p, err := s.site.startFloor(o, floorOf{transport: floor.NodeClient})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Failure(), p.Kill()) }()
	if err := pause(ctx, floor.Options{World: s.site.world}.Started()+o.Resolution); err != nil {
		return err
	}
	pids := map[int]values{s.pid(): v, p.ID().Pid: least}
	before := map[int]time.Duration{}
	begin := time.Now()
	for pid := range pids {
		if before[pid], err = procfs.CPU(pid); err != nil {
			return err
		}
	}
	if err := pause(ctx, o.FloorSteady); err != nil {
		return err
	}
	// The kubelets cannot tell who asks, but both ask once a resolution.
	scrapes := float64(s.site.world.Nodes) * float64(time.Since(begin)) / float64(o.Resolution)
	for pid, of := range pids {
		after, err := procfs.CPU(pid)
		if err != nil {
			return err
		}
		of.add(besidePerScrape, (after-before[pid]).Seconds()*1e3/scrapes)
	}
	fmt.Fprintf(o.Progress, "%s: %.3f ms of CPU a scrape over the same window as the floor, which took %.3f ms\n",
		s.name, v.last(besidePerScrape), least.last(besidePerScrape))
	return nil
}

// atRest measures the product while there is nothing for it to scrape and nobody asks: it
// watches all nodes and pods, and is an API server.
func (s *site) atRest(ctx context.Context, o Options, v values) (err error) {
	server, err := s.startServer(ours, o, "--node-selector=none=none")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.process.Failure(), server.stop()) }()
	if err := server.awaitAnswers(ctx); err != nil {
		return err
	}
	// For a while after a list, events are read one by one.
	if err := pause(ctx, 4*settling); err != nil {
		return err
	}
	cpu, err := s.cpuAsideScrapes(ctx, server.pid(), o)
	if err != nil {
		return err
	}
	v.add(atRestPerScrape, cpu)
	fmt.Fprintf(o.Progress, "%s without nodes to scrape: %.3f ms of CPU a scrape that it does not make\n", ours, cpu)
	return nil
}

// cpuAsideScrapes is the CPU time, in milliseconds a scrape, that a process which scrapes
// nothing uses while the product would scrape.
func (s *site) cpuAsideScrapes(ctx context.Context, pid int, o Options) (float64, error) {
	begin := time.Now()
	before, err := procfs.CPU(pid)
	if err != nil {
		return 0, err
	}
	if err := pause(ctx, o.FloorSteady); err != nil {
		return 0, err
	}
	after, err := procfs.CPU(pid)
	if err != nil {
		return 0, err
	}
	scrapes := float64(s.world.Nodes) * float64(time.Since(begin)) / float64(o.Resolution)
	return (after - before).Seconds() * 1e3 / scrapes, nil
}

// empty measures the memory and the CPU of an API server that does nothing.
func (s *site) empty(ctx context.Context, o Options, v values) (err error) {
	server, err := s.startConstant("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	if err := server.awaitAnswers(ctx); err != nil {
		return err
	}
	if err := pause(ctx, settling); err != nil {
		return err
	}
	m, err := procfs.MemoryOf(server.pid())
	if err != nil {
		return err
	}
	v.add(steadyRSS, float64(m.RSS)/megabyte)
	v.add(steadyAnonymous, float64(m.Anonymous)/megabyte)
	cpu, err := s.cpuAsideScrapes(ctx, server.pid(), o)
	if err != nil {
		return err
	}
	v.add(cpuPerScrape, cpu)
	fmt.Fprintf(o.Progress, "an empty API server: %.0f MB resident, %.0f MB anonymous, %.3f ms of CPU a scrape that it does not make\n",
		v.last(steadyRSS), v.last(steadyAnonymous), v.last(cpuPerScrape))
	return nil
}

// constants measures lists of constant bytes, those in the directory bodies.
func (s *site) constants(ctx context.Context, o Options, bodies string, v values) (err error) {
	server, err := s.startConstant(bodies)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	if err := server.awaitAnswers(ctx); err != nil {
		return err
	}
	if err := server.fullLists(ctx, o, v); err != nil {
		return err
	}
	return server.hpaLists(ctx, o, v)
}
