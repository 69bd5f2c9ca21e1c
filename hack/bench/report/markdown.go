// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Markdown is the report for people.
func (r *Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmark of %s\n\n", r.Date.UTC().Format(time.DateOnly))
	fmt.Fprintf(&b, "%d CPUs (%s), %.0f GiB, Linux %s.\n\n", r.Machine.CPUs, r.Machine.CPU, float64(r.Machine.Memory)/(1<<30), r.Machine.Kernel)
	b.WriteString("| | |\n| --- | --- |\n")
	for _, table := range []map[string]string{r.Settings, r.Versions} {
		for _, name := range slices.Sorted(maps.Keys(table)) {
			fmt.Fprintf(&b, "| %s | %s |\n", name, table[name])
		}
	}
	b.WriteString("\n| | metrics-server | ours | times less | floor | ours / floor | goal | |\n| --- | ---: | ---: | ---: | ---: | ---: | --- | --- |\n")
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", row.Name,
			figure(row.Theirs, row.Unit), figure(row.Ours, row.Unit), row.less(), figure(row.Floor, row.Unit), row.overFloor(), row.goal(), row.verdict())
	}
	b.WriteByte('\n')
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "- %s\n", note)
	}
	return b.String()
}

// figure is the median with its unit.
func figure(numbers []float64, unit string) string {
	median, ok := Median(numbers)
	if !ok {
		return ""
	}
	return number(median) + " " + unit
}

// number has three significant digits, or more before the point.
func number(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	return fmt.Sprintf("%.*f", min(max(digits, 0), 4), v)
}

// ratio is how often b goes into a.
func ratio(a, b []float64) string {
	x, ok := Median(a)
	y, also := Median(b)
	if !ok || !also || y == 0 {
		return ""
	}
	return number(x/y) + " ×"
}

// less is how many times less ours is; of what should be more, how many times
// more.
func (r Row) less() string {
	if r.More {
		return ratio(r.Ours, r.Theirs)
	}
	return ratio(r.Theirs, r.Ours)
}

func (r Row) overFloor() string { return ratio(r.Ours, r.Floor) }

func (r Row) goal() string {
	if r.Goal == nil {
		return ""
	}
	return r.Goal.Text
}

func (r Row) verdict() string {
	median, ok := Median(r.Ours)
	switch {
	case r.Goal == nil || !ok:
		return ""
	case r.Reached(median):
		return "pass"
	}
	return "**miss**"
}
