// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/procfs"
)

// Report is the outcome of one run.
type Report struct {
	Date    time.Time
	Machine procfs.Machine
	// Versions of what was run, and Settings it was run with, by name.
	Versions, Settings map[string]string
	Rows               []Row
	// Notes are sentences about what was measured how.
	Notes []string
}

// Row is one figure.
type Row struct {
	Name, Unit string
	// Theirs and Ours are what was measured, one number a round, of
	// metrics-server and of the product. Floor is what it is held against.
	Theirs, Ours, Floor []float64 `json:",omitempty"`
	// More says that more is better.
	More bool `json:",omitempty"`
	// Goal is nil where there is none.
	Goal *Goal `json:",omitempty"`
}

// Goal is what a figure of ours should be.
type Goal struct {
	// Text says it as the project's goals do.
	Text string
	// Limit is the most, or where more is better the least, that reaches it.
	Limit float64
}

// Reached says whether a figure reaches the row's goal.
func (r *Row) Reached(figure float64) bool {
	if r.More {
		return figure >= r.Goal.Limit
	}
	return figure <= r.Goal.Limit
}

// Median returns the median of numbers, and whether there are any.
func Median(numbers []float64) (float64, bool) {
	if len(numbers) == 0 {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(numbers))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle], true
	}
	return (sorted[middle-1] + sorted[middle]) / 2, true
}

// Store writes the report to dir as NAME.md and NAME.json and returns the path
// of the former.
func (r *Report) Store(dir, name string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("store the report: %w", err)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", fmt.Errorf("store the report: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".json"), append(text, '\n'), 0o644); err != nil {
		return "", fmt.Errorf("store the report: %w", err)
	}
	file := filepath.Join(dir, name+".md")
	if err := os.WriteFile(file, []byte(r.Markdown()), 0o644); err != nil {
		return "", fmt.Errorf("store the report: %w", err)
	}
	return file, nil
}
