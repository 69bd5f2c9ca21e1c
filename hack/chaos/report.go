// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Figure is one thing that an experiment measured.
type Figure struct {
	// Row is the ID of the row that it belongs to.
	Row string
	// Injected is what was done, Name what was measured, Value what came out,
	// and Limit what it must be held against.
	Injected, Name, Value, Limit string
	Pass                         bool
}

// Plot is a figure over time.
type Plot struct {
	// File is the name of its SVG file beside the report, and Title what it is
	// called.
	File, Title string
}

// Report collects figures. It is safe for concurrent use.
type Report struct {
	// Began is when the experiments did.
	Began time.Time
	// Machine and Pace say where, and at what share of their time, they ran.
	Machine string
	Pace    float64

	mu struct {
		sync.Mutex
		figures []Figure
		plots   []Plot
	}
}

// Add adds a figure.
func (r *Report) Add(f Figure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.figures = append(r.mu.figures, f)
}

// AddPlot adds a plot.
func (r *Report) AddPlot(p Plot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.plots = append(r.mu.plots, p)
}

// Markdown is the report: all figures in the order of the rows, then the plots,
// then the rows that have none.
func (r *Report) Markdown(now time.Time) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "# Failures, tried\n\n%s, %s, %v in all. Every duration is ×%g of what docs/failures.md asks for.\n\n",
		r.Began.UTC().Format("2006-01-02 15:04 MST"), r.Machine, now.Sub(r.Began).Round(time.Second), r.Pace)
	b.WriteString("| row | injected | measured | figure | limit | pass |\n| --- | --- | --- | --- | --- | --- |\n")
	shown := map[string]bool{}
	for _, row := range append(Rows(), Row{ID: soakID}) {
		for _, f := range r.mu.figures {
			if f.Row != row.ID {
				continue
			}
			shown[row.ID] = true
			pass := "yes"
			if !f.Pass {
				pass = "**no**"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", f.Row, cell(f.Injected), cell(f.Name), cell(f.Value), cell(f.Limit), pass)
		}
	}
	for _, p := range r.mu.plots {
		fmt.Fprintf(&b, "\n![%s](%s)\n", p.Title, p.File)
	}
	if len(shown) > 1 || !shown[soakID] {
		b.WriteString("\nThe report of `make soak`, which lasts an hour, is soak.md beside this one.\n")
	}
	b.WriteString("\nNot in this run:\n\n")
	for _, row := range Rows() {
		if shown[row.ID] {
			continue
		}
		why := "short tests only, in `make test`"
		switch {
		case row.Long:
			why = "left out of this run"
		case row.Open != "":
			why = row.Open
		}
		fmt.Fprintf(&b, "- %s, %s: %s.\n", row.ID, row.What, why)
	}
	return b.String()
}

// soakID stands for the long run in which nothing in particular fails.
const soakID = "soak"

// cell is text as it can stand in a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

// Requirements is docs/failures.md.
func Requirements() string {
	var b strings.Builder
	b.WriteString(`# Failures and threats

What the server must stand, and what shows that it does. R is the resolution, 15 s
unless a row says otherwise. Short tests are part of ` + "`make test`" + `; ` + "`make chaos`" + ` tries the
rows marked *long* at full size on a real control plane, and writes a report: this is
[the last one that was kept](chaos/2026-11-22/report.md).

This page is written from the table in [hack/chaos](../hack/chaos); a test there
keeps it and the names of the tests true.

| row | what happens | passes when | shown by |
| --- | --- | --- | --- |
`)
	for _, row := range Rows() {
		var by []string
		if row.Long {
			by = append(by, "*long*")
		}
		dirs := []string{}
		for _, test := range row.Short {
			if !slices.Contains(dirs, test.Dir) {
				dirs = append(dirs, test.Dir)
			}
		}
		for _, dir := range dirs {
			var names []string
			for _, test := range row.Short {
				if test.Dir == dir {
					names = append(names, test.Name)
				}
			}
			by = append(by, fmt.Sprintf("[%s](../%s): %s", dir, dir, strings.Join(names, ", ")))
		}
		if row.Open != "" {
			by = append(by, "**open**: "+row.Open)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row.ID, cell(row.What), cell(row.Passes), strings.Join(by, "; "))
	}
	b.WriteString("\n## Foreign bytes\n\nWhat the server reads and did not write. Every reader has fuzz targets with a corpus;\n" +
		"`make fuzz` runs them all, FUZZTIME each; CI tries each 2,000\n" +
		"times. A test holds that no package is missing here.\n\n" +
		"| bytes | from | read in |\n| --- | --- | --- |\n")
	for _, foreign := range ForeignBytes() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", foreign.What, foreign.From, strings.Join(foreign.Dirs, ", "))
	}
	return b.String()
}
