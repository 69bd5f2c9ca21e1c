// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/listing"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/procfs"
)

// listLimit bounds the time that one kind of list is measured for.
const listLimit = 45 * time.Second

// fullKind is a kind of full list.
type fullKind struct {
	name     string
	encoding listing.Encoding
	gzip     bool
}

func fullKinds() []fullKind {
	return []fullKind{
		{"JSON", listing.JSON, false},
		{"JSON, gzip", listing.JSON, true},
		{"protobuf", listing.Protobuf, false},
		{"protobuf, gzip", listing.Protobuf, true},
	}
}

// fullLists measures full lists of all kinds, one at a time and ten at once.
func (s *server) fullLists(ctx context.Context, o Options, v values) error {
	clients := s.clients(together)
	if err := listing.Connect(ctx, clients, s.site.hpaList()); err != nil {
		return err
	}
	for _, kind := range fullKinds() {
		r := fullList(kind.encoding, kind.gzip)
		before, err := s.allocated(ctx)
		if err != nil {
			return err
		}
		times, size, err := listing.OneByOne(ctx, s.client, r, o.Lists, listLimit)
		if err != nil {
			return err
		}
		after, err := s.allocated(ctx)
		if err != nil {
			return err
		}
		n := float64(len(times) + 1) // The one that is not timed, too.
		v.add(list50+kind.name, millis(listing.Quantile(times, 0.5)))
		v.add(list99+kind.name, millis(listing.Quantile(times, 0.99)))
		if !kind.gzip {
			times, err := s.coldLists(ctx, r, o)
			if err != nil {
				return err
			}
			v.add(cold50+kind.name, millis(listing.Quantile(times, 0.5)))
		}
		v.add(listSize+kind.name, float64(size)/megabyte)
		v.add(listObjects+kind.name, (after.objects-before.objects)/n/1e3)
		v.add(listBytes+kind.name, (after.bytes-before.bytes)/n/megabyte)

		if err := procfs.ResetPeak(s.pid()); err != nil {
			return err
		}
		if times, err = listing.Together(ctx, clients, r, o.Rounds10); err != nil {
			return err
		}
		m, err := procfs.MemoryOf(s.pid())
		if err != nil {
			return err
		}
		v.add(ten50+kind.name, millis(listing.Quantile(times, 0.5)))
		v.add(ten99+kind.name, millis(listing.Quantile(times, 0.99)))
		v.add(tenPeak+kind.name, float64(m.Peak)/megabyte)
		fmt.Fprintf(o.Progress, "%s: full list, %s: %.1f MB, p50 %.1f ms, ten at once %.0f ms, peak %.0f MB\n",
			s.name, kind.name, float64(size)/megabyte, v.last(list50+kind.name), v.last(ten50+kind.name), v.last(tenPeak+kind.name))
	}
	for _, c := range clients {
		c.Close()
	}
	return nil
}

// coldLists is the times of full lists that come after a pause each, in
// ascending order.
func (s *server) coldLists(ctx context.Context, r listing.Request, o Options) ([]time.Duration, error) {
	var times []time.Duration
	for range o.ColdLists {
		if err := pause(ctx, o.Resolution); err != nil {
			return nil, err
		}
		result, err := s.client.Do(ctx, r)
		if err != nil {
			return nil, err
		}
		times = append(times, result.Time())
	}
	slices.Sort(times)
	return times, nil
}

// hpaLists measures what an HPA asks for.
func (s *server) hpaLists(ctx context.Context, o Options, v values) error {
	r := s.site.hpaList()
	times, size, err := listing.OneByOne(ctx, s.client, r, o.HPALists, listLimit)
	if err != nil {
		return err
	}
	clients := s.clients(connections)
	rate, err := listing.Rate(ctx, clients, r, o.RateTime)
	if err != nil {
		return err
	}
	for _, c := range clients {
		c.Close()
	}
	v.add(hpa50, millis(listing.Quantile(times, 0.5)))
	v.add(hpa99, millis(listing.Quantile(times, 0.99)))
	v.add(hpaRate, rate)
	fmt.Fprintf(o.Progress, "%s: an HPA's list: %d bytes, p50 %.2f ms, %.0f/s\n", s.name, size, v.last(hpa50), rate)
	return nil
}

func millis(d time.Duration) float64 { return d.Seconds() * 1e3 }

// allocations is what a server has allocated since its start, and how often it
// has collected garbage.
type allocations struct{ objects, bytes, collections float64 }

// allocated reads it off the server's own metrics.
func (s *server) allocated(ctx context.Context) (a allocations, err error) {
	admin := listing.New(s.url, s.site.identity.As("admin", "system:masters"))
	defer admin.Close()
	body, _, err := admin.Fetch(ctx, listing.Request{Path: "/metrics", Encoding: "text/plain"})
	if err != nil {
		return a, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(body)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		number, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "go_memstats_mallocs_total":
			a.objects = number
		case "go_memstats_alloc_bytes_total":
			a.bytes = number
		case "go_gc_duration_seconds_count":
			a.collections = number
		}
	}
	if a.objects == 0 || a.bytes == 0 {
		return a, fmt.Errorf("%s does not say what it has allocated", s.name)
	}
	return a, nil
}
