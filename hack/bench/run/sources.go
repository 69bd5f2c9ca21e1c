// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"fmt"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/floor"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// sources measures the product while it collects everything that custom metrics
// can be made from, and then what getting the same documents costs at least.
func (s *site) sources(ctx context.Context, o Options, ours, least values) error {
	if err := s.withSources(ctx, o, ours); err != nil {
		return err
	}
	summary := "/stats/summary"
	if query := kubelet.SummaryQuery(input.Summary.Of()); query != "" {
		summary += "?" + query
	}
	return s.floor(ctx, o, floorOf{transport: floor.NodeClient, documents: []string{s.resource(), summary, "/metrics/cadvisor"}}, least)
}

func (s *site) withSources(ctx context.Context, o Options, v values) (err error) {
	server, err := s.startServer(ours, o, "--custom-metrics", "--custom-metrics-always=*")
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, server.process.Failure(), server.stop()); err != nil {
			err = fmt.Errorf("measure %s with all sources: %w", ours, err)
		}
	}()
	if _, err := server.firstList(ctx); err != nil {
		return err
	}
	if err := pause(ctx, o.Warmup); err != nil {
		return err
	}
	if err := server.steady(ctx, o, v); err != nil {
		return err
	}
	fmt.Fprintf(o.Progress, "%s with all sources: %.0f kB got a scrape, %.1f requests a node and minute\n", ours, v.last(bytesPerScrape), v.last(requestsPerMinute))
	return nil
}
