// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package listing

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// OneByOne sends a request n times, one after the other, but for not much
// longer than limit, and returns the times in ascending order, and the size of
// the last body.
func OneByOne(ctx context.Context, c *Client, r Request, n int, limit time.Duration) ([]time.Duration, int64, error) {
	// The first request connects and is authorized; that is not what is measured.
	if _, err := c.Do(ctx, r); err != nil {
		return nil, 0, err
	}
	var times []time.Duration
	var size int64
	for start := time.Now(); len(times) < n && (len(times) < 3 || time.Since(start) < limit); {
		result, err := c.Do(ctx, r)
		if err != nil {
			return nil, 0, err
		}
		times, size = append(times, result.Time()), result.Bytes
	}
	slices.Sort(times)
	return times, size, nil
}

// Together sends a request over each client at once, in so many rounds, and
// returns all times in ascending order. The clients have connected before.
func Together(ctx context.Context, clients []*Client, r Request, rounds int) ([]time.Duration, error) {
	var all []time.Duration
	for range rounds {
		times := make([]time.Duration, len(clients))
		group, ctx := errgroup.WithContext(ctx)
		for i, c := range clients {
			group.Go(func() error {
				result, err := c.Do(ctx, r)
				times[i] = result.Time()
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		all = append(all, times...)
	}
	slices.Sort(all)
	return all, nil
}

// Connect has each client connect and be authorized, by a request whose answer does not
// matter.
func Connect(ctx context.Context, clients []*Client, r Request) error {
	for _, c := range clients {
		if _, err := c.Do(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// Rate sends requests over each client without a pause for some time, and
// returns how many were answered a second.
func Rate(ctx context.Context, clients []*Client, r Request, duration time.Duration) (float64, error) {
	if err := Connect(ctx, clients, r); err != nil {
		return 0, err
	}
	var answered atomic.Int64
	start := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range clients {
		group.Go(func() error {
			for time.Since(start) < duration {
				if _, err := c.Do(ctx, r); err != nil {
					return err
				}
				answered.Add(1)
			}
			return nil
		})
	}
	err := group.Wait()
	return float64(answered.Load()) / time.Since(start).Seconds(), err
}

// Quantile returns the q-th quantile of times in ascending order, or 0 where
// there are none.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
