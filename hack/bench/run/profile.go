// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/listing"
)

// profileTime is how long a CPU profile is taken under load, idleTime while the
// server only scrapes: it then uses so little that it takes longer to see what.
// traceTime is how long it is traced meanwhile, which shows who wakes whom.
const (
	profileTime = 20 * time.Second
	idleTime    = time.Minute
	traceTime   = 5 * time.Second
)

// profile stores profiles of a server: a trace and the CPU while it only scrapes, while
// it answers full lists and while it answers an HPA's; and of the memory.
func (s *server) profile(ctx context.Context, o Options) error {
	if err := os.MkdirAll(o.Profiles, 0o755); err != nil {
		return fmt.Errorf("store profiles: %w", err)
	}
	if err := s.store(ctx, o, "heap", "heap?gc=1"); err != nil {
		return err
	}
	if err := s.store(ctx, o, "allocs-steady", "allocs?seconds="+strconv.Itoa(int(idleTime.Seconds()))); err != nil {
		return err
	}
	if err := s.store(ctx, o, "trace-steady", "trace?seconds="+strconv.Itoa(int(traceTime.Seconds()))); err != nil {
		return err
	}
	idle := func(ctx context.Context) error { return pause(ctx, time.Millisecond) }
	for _, load := range []struct {
		name   string
		length time.Duration
		one    func(ctx context.Context) error
	}{
		{"cpu-steady", idleTime, idle},
		{"cpu-full-list-json", profileTime, s.repeat(fullList(listing.JSON, false))},
		{"cpu-full-list-protobuf", profileTime, s.repeat(fullList(listing.Protobuf, false))},
		{"cpu-hpa", profileTime, s.repeat(s.site.hpaList())},
	} {
		group, ctx := errgroup.WithContext(ctx)
		loading, stop := context.WithCancel(ctx)
		group.Go(func() error {
			defer stop()
			return s.store(ctx, o, load.name, "profile?seconds="+strconv.Itoa(int(load.length.Seconds())))
		})
		group.Go(func() error {
			for loading.Err() == nil {
				if err := load.one(loading); err != nil && loading.Err() == nil {
					return err
				}
			}
			return nil
		})
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return s.store(ctx, o, "allocs", "allocs")
}

func (s *server) repeat(r listing.Request) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		_, err := s.client.Do(ctx, r)
		return err
	}
}

// store stores one profile.
func (s *server) store(ctx context.Context, o Options, name, query string) error {
	admin := listing.New(s.url, s.site.identity.As("admin", "system:masters"))
	defer admin.Close()
	body, _, err := admin.Fetch(ctx, listing.Request{Path: "/debug/pprof/" + query, Encoding: "*/*"})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.Profiles, name+".pprof"), body, 0o644); err != nil {
		return fmt.Errorf("store profiles: %w", err)
	}
	return nil
}
