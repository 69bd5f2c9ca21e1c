// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package configfile

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A Rule is one metric that a file defines, as it was written: whether its
// expression means something is for whoever evaluates it to say.
type Rule struct {
	// Line is where the rule begins, and lines where each of its keys has its value:
	// see LineOf.
	Line  int
	lines map[string]int

	// Name is the metric's.
	Name string
	// Attach is what its values are of.
	Attach Attach
	// Expr is PromQL.
	Expr string
	// Window and MaxAge are 0 where the file does not say.
	Window, MaxAge time.Duration
	// OnMissing is omit, ignore or zero, OnNaN omit or zero; empty where the file
	// does not say.
	OnMissing, OnNaN string
	// Namespaces is where an external metric is visible.
	Namespaces []string
}

// Attach is what a metric's values are of: objects of a resource, or nothing in
// the cluster.
type Attach struct {
	// Group and Resource name the resource; the core group is empty.
	Group, Resource string
	// Label is the label of the results that holds the object's name; empty where
	// the file does not say.
	Label string
	// External is a metric of external.metrics.k8s.io.
	External bool
}

// LineOf is the line of a key, such as "expr" or "attach.label"; where the rule does
// not have it, that of what it would be in.
func (r *Rule) LineOf(key string) int {
	outer, _, _ := strings.Cut(key, ".")
	for _, key := range [2]string{key, outer} {
		if line, ok := r.lines[key]; ok {
			return line
		}
	}
	return r.Line
}

// rules reads the list. A rule that cannot be read is left out, and does not keep
// the others from being read.
func (r *reader) rules(c *Config) func(*yaml.Node) {
	return func(n *yaml.Node) {
		var nodes []*yaml.Node
		r.nodes(&nodes)(n)
		for _, node := range nodes {
			own := &reader{file: r.file}
			rule := own.rule(node)
			if err := joined(own.problems); err != nil {
				c.Refused = append(c.Refused, err)
				continue
			}
			c.Rules = append(c.Rules, rule)
		}
	}
}

func (r *reader) rule(n *yaml.Node) Rule {
	rule := Rule{Line: n.Line}
	r.lines = map[string]int{}
	r.mapping(n, "a rule", []field{
		{"name", r.text(&rule.Name)},
		{"attach", r.attach(&rule.Attach)},
		{"expr", r.text(&rule.Expr)},
		{"window", r.duration(&rule.Window)},
		{"maxAge", r.duration(&rule.MaxAge)},
		{"onMissing", r.oneOf(&rule.OnMissing, "omit", "ignore", "zero")},
		{"onNaN", r.oneOf(&rule.OnNaN, "omit", "zero")},
		{"namespaces", r.texts(&rule.Namespaces)},
	}, "name", "attach", "expr")
	if n.Kind != yaml.MappingNode || len(r.problems) > 0 {
		return rule
	}
	rule.lines = r.lines
	switch {
	case rule.Attach.External && len(rule.Namespaces) == 0:
		r.refuse(n, "rule %s: an external metric is visible in the namespaces that it names: add namespaces: [team-a], or [\"*\"] for all", rule.Name)
	case !rule.Attach.External && len(rule.Namespaces) > 0:
		r.refuse(n, "rule %s: namespaces are for external metrics; one that is attached to objects is visible where they are: leave them out", rule.Name)
	}
	return rule
}

func (r *reader) attach(dst *Attach) func(*yaml.Node) {
	return func(n *yaml.Node) {
		before := len(r.problems)
		r.mapping(n, "attach", []field{
			{"group", r.text(&dst.Group)},
			{"resource", r.text(&dst.Resource)},
			{"label", r.text(&dst.Label)},
			{"external", r.boolean(&dst.External)},
		})
		if len(r.problems) > before {
			return
		}
		switch {
		case dst.External && *dst != Attach{External: true}:
			r.refuse(n, "attach: an external metric is of no object: leave out group, resource and label, or external")
		case !dst.External && dst.Resource == "":
			r.refuse(n, "attach: say what the values are of: {resource: pods}, {group: apps, resource: deployments, label: deployment}, or {external: true}")
		}
	}
}
