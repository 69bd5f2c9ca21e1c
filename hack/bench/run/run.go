// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/floor"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/freshness"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/listing"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/procfs"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/report"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
)

// Run runs the benchmark with its files in dir, which must exist and can be
// removed afterwards.
func Run(ctx context.Context, o Options, dir string) (*report.Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	// The servers under test need absolute paths.
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("run the benchmark: %w", err)
	}
	p, err := build(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	m := newMeasured(o)
	if o.measures(sink) {
		if err := m.sink.measure(ctx, o, dir, p); err != nil {
			return nil, fmt.Errorf("measure remote-write: %w", err)
		}
	}
	if !o.measuresSite() {
		return m.report(o, p, time.Now()), nil
	}
	s, err := newSite(ctx, o, dir, p)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(m.measureAll(ctx, o, s), s.close(context.WithoutCancel(ctx))); err != nil {
		return nil, err
	}
	return m.report(o, p, s.world.Epoch), nil
}

// measured is all figures.
type measured struct {
	theirs, ours, empty, constant values
	// sources is the product with all sources of custom metrics, sourcesFloor a process
	// that gets the same documents.
	sources, sourcesFloor values
	// beside is the floor while the product ran beside it.
	beside values
	// alone is the floor with each node at a moment of its own.
	alone    values
	floors   map[floor.Transport]values
	ages     []time.Duration // ascending, simulated
	replaced int
	sink     sinkFigures
}

// newMeasured has no figures yet, but what is simulated.
func newMeasured(o Options) *measured {
	m := &measured{
		theirs: values{}, ours: values{}, empty: values{}, constant: values{},
		beside: values{}, alone: values{}, sources: values{}, sourcesFloor: values{},
		floors: map[floor.Transport]values{}, sink: newSinkFigures(),
	}
	for _, transport := range floor.Transports() {
		m.floors[transport] = values{}
	}
	m.ages = freshness.Options{Resolution: o.Resolution, Containers: o.Containers, Idle: world.World{}.Idle()}.Ages()
	return m
}

// measureAll measures one subject after the other while pods come and go.
func (m *measured) measureAll(ctx context.Context, o Options, s *site) error {
	churning, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.churn.Run(churning, o.Lifetime) })
	group.Go(func() error {
		defer stop()
		return m.measure(ctx, o, s)
	})
	err := group.Wait()
	m.replaced = s.churn.Replaced()
	return err
}

func (m *measured) measure(ctx context.Context, o Options, s *site) error {
	bodies := filepath.Join(s.dir, "bodies")
	for range o.Rounds {
		if o.measures(theirs) {
			if err := s.measureServer(ctx, o, theirs, "", m.theirs, nil); err != nil {
				return err
			}
		}
		if o.measures(ours) {
			if err := s.measureServer(ctx, o, ours, bodies, m.ours, m.beside); err != nil {
				return err
			}
			if err := s.atRest(ctx, o, m.ours); err != nil {
				return fmt.Errorf("measure %s at rest: %w", ours, err)
			}
		}
		if o.measures(constant) {
			if err := errors.Join(s.empty(ctx, o, m.empty), s.constants(ctx, o, bodies, m.constant)); err != nil {
				return err
			}
		}
		if o.measures(floors) {
			if err := s.floors(ctx, o, m.floors, m.alone); err != nil {
				return err
			}
		}
	}
	if o.measures(sources) {
		return s.sources(ctx, o, m.sources, m.sourcesFloor)
	}
	return nil
}

// measureServer measures one run of a server, from its start to its end. Where
// bodies is a directory, its answers are stored there. least are the figures of
// the floor that runs beside it for a while.
func (s *site) measureServer(ctx context.Context, o Options, name, bodies string, v, least values) (err error) {
	server, err := s.measureStarts(ctx, o, name, v)
	if err != nil {
		return fmt.Errorf("measure %s: %w", name, err)
	}
	defer func() {
		err = errors.Join(err, server.process.Failure(), server.stop())
		if err != nil {
			err = fmt.Errorf("measure %s: %w", name, err)
		}
	}()
	if err := pause(ctx, o.Warmup); err != nil {
		return err
	}
	if err := server.steady(ctx, o, v); err != nil {
		return err
	}
	if name == ours && o.measures(floors) {
		if err := server.beside(ctx, o, v, least); err != nil {
			return err
		}
	}
	if err := server.ages(ctx, o, v); err != nil {
		return err
	}
	if err := server.fullLists(ctx, o, v); err != nil {
		return err
	}
	if err := server.hpaLists(ctx, o, v); err != nil {
		return err
	}
	if bodies != "" {
		if err := server.storeBodies(ctx, bodies); err != nil {
			return err
		}
	}
	if name == ours && o.Profiles != "" {
		return server.profile(ctx, o)
	}
	return nil
}

// storeBodies stores what the server answers, for the constant server.
func (s *server) storeBodies(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("store answers: %w", err)
	}
	one := s.site.hpaList()
	for name, request := range map[string]listing.Request{
		"all.json": fullList(listing.JSON, false), "all.protobuf": fullList(listing.Protobuf, false),
		"one.json": {Path: one.Path, Encoding: listing.JSON}, "one.protobuf": one,
	} {
		body, _, err := s.client.Fetch(ctx, request)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			return fmt.Errorf("store answers: %w", err)
		}
	}
	return nil
}

// Name is what the report is stored as.
func (o Options) Name(began time.Time) string {
	day := began.UTC().Format(time.DateOnly)
	switch {
	case !o.measuresSite():
		return day + "-remote-write"
	case o.measuresSources():
		return day + "-sources"
	}
	name := fmt.Sprintf("%s-%dx%dx%d", day, o.Nodes, o.Pods, o.Containers)
	if o.Selecting {
		name += "-selecting"
	}
	return name
}

// report puts the figures together.
func (m *measured) report(o Options, p *programs, began time.Time) *report.Report {
	r := &report.Report{
		Date:     began,
		Machine:  procfs.ThisMachine(runtime.NumCPU()),
		Versions: p.versions,
		Settings: settings(o),
	}
	switch {
	case o.measuresSources():
		r.Rows, r.Notes = m.sourcesRows(), m.sourcesNotes(o)
	case o.measuresSite():
		r.Rows, r.Notes = m.rows(o), m.notes(o)
	}
	if o.measures(sink) {
		r.Rows, r.Notes = append(r.Rows, m.sink.rows()...), append(r.Notes, m.sink.notes()...)
	}
	return r
}

func settings(o Options) map[string]string {
	if !o.measuresSite() {
		return map[string]string{"size": fmt.Sprintf("%d nodes × %d pods × %d containers", sinkNodes, sinkPods, sinkContainers)}
	}
	return map[string]string{
		"size":   fmt.Sprintf("%d nodes × %d pods × %d containers", o.Nodes, o.Pods, o.Containers),
		"steady": fmt.Sprintf("%v, %v after the first complete list; floors %v", o.Steady, o.Warmup, o.FloorSteady),
		"rounds": fmt.Sprint(o.Rounds),
		"in each": fmt.Sprintf("%d starts; of each full list %d back to back, %d after a pause, %d × %d at once; %d HPA's lists",
			o.Starts, o.Lists, o.ColdLists, o.Rounds10, together, o.HPALists),
	}
}
