// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Metrics is what a server says of itself: the value of every series, by its
// name with its labels as they are written.
type Metrics map[string]float64

// Metrics asks the server for its metrics.
func (s *Server) Metrics(ctx context.Context) (Metrics, error) {
	status, body, err := s.Get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("/metrics: %d: %s", status, body)
	}
	m := Metrics{}
	for line := range bytes.Lines(body) {
		text := strings.TrimSpace(string(line))
		space := strings.LastIndexByte(text, ' ')
		if space < 0 || text[0] == '#' {
			continue
		}
		value, err := strconv.ParseFloat(text[space+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("read /metrics: %q: %w", text, err)
		}
		m[text[:space]] = value
	}
	return m, nil
}

// Sum adds up the series of a family whose labels contain the text.
func (m Metrics) Sum(family, labels string) float64 {
	sum := 0.0
	for series, value := range m {
		name, rest, _ := strings.Cut(series, "{")
		if name == family && strings.Contains(rest, labels) {
			sum += value
		}
	}
	return sum
}

// Stats is what a server's process uses.
type Stats struct {
	// Goroutines and Series are what the server says itself; Series is how many
	// it serves of itself.
	Goroutines, Series int
	// Heap is Go's heap in use, and Resident all memory, in bytes.
	Heap, Resident int64
	// Sockets is how many are open.
	Sockets int
}

// Stats are the server's figures now.
func (s *Server) Stats(ctx context.Context) (Stats, error) {
	m, err := s.Metrics(ctx)
	if err != nil {
		return Stats{}, err
	}
	stats := Stats{Goroutines: int(m["go_goroutines"]), Series: len(m), Heap: int64(m["go_memstats_heap_inuse_bytes"])}
	if stats.Resident, err = s.Resident(); err != nil {
		return Stats{}, err
	}
	stats.Sockets, err = s.Sockets()
	return stats, err
}

// Resident is how much memory the process has resident, in bytes.
func (s *Server) Resident() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.Pid()))
	if err != nil {
		return 0, fmt.Errorf("read the memory of %s: %w", s.Name, err)
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("read the memory of %s: %q", s.Name, text)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the memory of %s: %w", s.Name, err)
	}
	return pages * int64(os.Getpagesize()), nil
}

// Sockets is how many sockets the process has open.
func (s *Server) Sockets() (int, error) {
	dir := fmt.Sprintf("/proc/%d/fd", s.Pid())
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("count the sockets of %s: %w", s.Name, err)
	}
	sockets := 0
	for _, entry := range entries {
		// One that was closed meanwhile is none.
		if target, err := os.Readlink(filepath.Join(dir, entry.Name())); err == nil && strings.HasPrefix(target, "socket:") {
			sockets++
		}
	}
	return sockets, nil
}
