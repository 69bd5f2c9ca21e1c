// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// agent is Prometheus' agent mode, made of Prometheus' own packages: it scrapes the
// static targets of a configuration and ships what they say by remote-write, until
// it is interrupted. `make bench` holds our sink against it.
//
// It is put together as cmd/prometheus does it, with that program's defaults. What
// is left out (discovery of services, the user interface) is asked nothing here.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb/agent"
	"github.com/prometheus/prometheus/util/logging"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	file := flag.String("config", "prometheus.yml", "configuration file")
	dir := flag.String("dir", "data-agent", "directory of what is to be sent")
	flag.Parse()
	err := run(ctx, *file, *dir)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// The defaults of cmd/prometheus.
const (
	flushDeadline  = time.Minute
	reloadInterval = 5 * time.Second
)

func run(ctx context.Context, file, dir string) (err error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	c, err := config.LoadFile(file, true, log)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	debug.SetGCPercent(c.Runtime.GoGC)
	targets, err := static(c)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	ready := &scraper{}
	shipping := remote.NewStorage(log, registry, func() (int64, error) { return 0, nil }, dir, flushDeadline, ready, false)
	db, err := agent.Open(log, registry, shipping, dir, agent.DefaultOptions())
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	db.SetWriteNotified(shipping)
	both := storage.NewFanout(log, db, shipping)
	defer func() { err = errors.Join(err, both.Close()) }()
	options := &scrape.Options{DiscoveryReloadInterval: model.Duration(reloadInterval)}
	ready.manager, err = scrape.NewManager(options, log, logging.NewJSONFileLogger, nil, both, registry)
	if err != nil {
		return fmt.Errorf("make the scraper: %w", err)
	}
	if err := shipping.ApplyConfig(c); err != nil {
		return fmt.Errorf("configure remote-write: %w", err)
	}
	if err := ready.manager.ApplyConfig(c); err != nil {
		return fmt.Errorf("configure the scraper: %w", err)
	}
	groups := make(chan map[string][]*targetgroup.Group, 1)
	groups <- targets
	defer context.AfterFunc(ctx, ready.manager.Stop)()
	return ready.manager.Run(groups)
}

// static is the targets of a configuration, which must have no others.
func static(c *config.Config) (map[string][]*targetgroup.Group, error) {
	jobs, err := c.GetScrapeConfigs()
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	targets := map[string][]*targetgroup.Group{}
	for _, job := range jobs {
		for _, source := range job.ServiceDiscoveryConfigs {
			groups, ok := source.(discovery.StaticConfig)
			if !ok {
				return nil, fmt.Errorf("job %s has targets that are not static", job.JobName)
			}
			targets[job.JobName] = append(targets[job.JobName], groups...)
		}
	}
	return targets, nil
}

// scraper says which manager there is, for the metadata of what it scrapes.
type scraper struct{ manager *scrape.Manager }

// Get is remote.ReadyScrapeManager's.
func (s *scraper) Get() (*scrape.Manager, error) {
	if s.manager == nil {
		return nil, errors.New("not ready")
	}
	return s.manager, nil
}
