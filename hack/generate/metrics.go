// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/catalogue"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// metricsPath is where the list of metrics is.
const metricsPath = "docs/metrics.md"

// introduction is what stands before the list.
//
//go:embed metrics.md
var introduction string

// resolution is the manifests', for which bounds in time are given.
const resolution = 15 * time.Second

// metrics is the list of metrics: what they are, and an HPA on each.
func metrics() []byte {
	var b bytes.Buffer
	b.WriteString(strings.TrimSpace(introduction) + "\n")
	for _, section := range catalogue.Table() {
		fmt.Fprintf(&b, "\n### %s\n\n", section.Title)
		b.WriteString("| metric | unit | of | formula | source |\n| --- | --- | --- | --- | --- |\n")
		for i := range section.Metrics {
			m := &section.Metrics[i]
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Unit, strings.Join(m.Resources(), ", "), ofBoth(m, formula), ofBoth(m, source))
		}
		b.WriteString("\n")
		for i := range section.Metrics {
			m := &section.Metrics[i]
			fmt.Fprintf(&b, "- `%s`: %s", m.Name, m.Help)
			if m.Needs != "" {
				fmt.Fprintf(&b, " Needs %s.", m.Needs)
			}
			b.WriteString("\n")
		}
		if targets := targets(section); targets != "" {
			fmt.Fprintf(&b, "\nIn an HPA's `spec.metrics`:\n\n```yaml\n%s```\n", targets)
		}
	}
	b.WriteString("\n## Inputs\n\n")
	b.WriteString("What formulas are made of. `rate` is the increase a second, over the window that is\n" +
		"served with the value. `cpu_usage`, `memory_working_set` and `memory_swap` are those\n" +
		"of `metrics.k8s.io`, and are collected anyway.\n\n")
	b.WriteString("| input | kind | a pod's | nodes have it | source | served up to an age of |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, in := range input.Table() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | `%s` | %v |\n", in.Name, kind(in), level(in), yes(in.Node), path(in.Source), staleness(in))
	}
	return b.Bytes()
}

// targets is a metric in an HPA for each metric that pods have.
func targets(section catalogue.Section) string {
	var b strings.Builder
	for i := range section.Metrics {
		m := &section.Metrics[i]
		if m.Pods.Defined() {
			fmt.Fprintf(&b, "- {type: Pods, pods: {metric: {name: %s}, target: {type: AverageValue, averageValue: %q}}}\n", m.Name, m.Target)
		}
	}
	return b.String()
}

// ofBoth is text of the formula, or of the two where nodes have another.
func ofBoth(m *catalogue.Metric, text func(catalogue.Formula) string) string {
	switch pods, nodes := text(m.Pods), text(m.Nodes); {
	case !m.Nodes.Defined() || pods == nodes:
		return pods
	case !m.Pods.Defined():
		return nodes
	default:
		return pods + "; of nodes " + nodes
	}
}

func formula(f catalogue.Formula) string { return "`" + f.String() + "`" }

func source(f catalogue.Formula) string { return f.Source() }

func path(s input.Source) string {
	if s == input.Cadvisor {
		return "/metrics/cadvisor"
	}
	return "/stats/summary"
}

func kind(in input.Info) string {
	if in.Kind == input.Counter {
		return "counter"
	}
	return "gauge"
}

func level(in input.Info) string {
	switch {
	case in.Level == input.OfNode:
		return "none"
	case in.Level == input.OfPod:
		return "is one number"
	case in.Sparse:
		return "is the sum over the containers that have it"
	default:
		return "is the sum over its containers"
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// staleness is how old an input may be and still be served.
func staleness(in input.Info) time.Duration {
	return storage.StalenessBound(resolution) + in.Refresh.Duration()
}
