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
)

// settling is how long a process is left alone before its memory is read.
const settling = 5 * time.Second

// floors measures what getting the same bytes costs at least, over each
// transport in turn.
func (s *site) floors(ctx context.Context, o Options, v map[floor.Transport]values) error {
	for _, transport := range floor.Transports() {
		if err := s.floor(ctx, o, transport, v[transport]); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) floor(ctx context.Context, o Options, transport floor.Transport, v values) (err error) {
	started := floor.Options{World: s.world}.Started()
	p, err := s.start("floor-"+string(transport), s.programs.floor,
		"-nodes="+strconv.Itoa(s.world.Nodes), "-port="+strconv.Itoa(s.port), "-resolution="+o.Resolution.String(),
		"-ca="+filepath.Join(s.dir, "kubelet-ca.crt"), "-token="+s.token, "-transport="+string(transport))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Failure(), p.Kill()) }()
	before, err := procfs.MemoryOf(p.ID().Pid)
	if err != nil {
		return err
	}
	if err := pause(ctx, started); err != nil {
		return err
	}
	w, err := s.observe(ctx, p.ID().Pid, o.FloorSteady)
	if err != nil {
		return err
	}
	after, err := procfs.MemoryOf(p.ID().Pid)
	if err != nil {
		return err
	}
	v.add(cpuPerScrape, w.perScrape())
	v.add(steadyRSS, (float64(after.RSS)-float64(before.RSS))/megabyte)
	fmt.Fprintf(o.Progress, "floor over %s: %.3f ms of CPU a scrape over %d scrapes, %.0f MB for its connections\n",
		transport, w.perScrape(), w.asked.Resource, v.last(steadyRSS))
	return nil
}

// empty measures the memory of an API server that does nothing.
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
	fmt.Fprintf(o.Progress, "an empty API server: %.0f MB resident, %.0f MB anonymous\n", v.last(steadyRSS), v.last(steadyAnonymous))
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
