// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/configfile"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/catalogue"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/rules"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/history"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// ruleMetrics are the metrics that rules define, and the series that they read.
type ruleMetrics struct {
	recent   *series.Recent
	provider *rules.Provider
	// history is what rules that are new look back into, samples both together.
	history *history.Store
	samples *history.Reader
	// custom and external are which groups are served.
	custom, external bool
}

// newRuleMetrics is without rules. changed is told when they need other series.
func newRuleMetrics(o *options, nodes *objects.Nodes, pods *objects.Pods, maxAge time.Duration, instance func(node string) string, changed func()) (*ruleMetrics, error) {
	recent, err := series.NewRecent(series.RecentOptions{Instance: instance})
	if err != nil {
		return nil, err
	}
	past := history.New(history.Options{Instance: instance})
	samples := history.NewReader(recent, past)
	return &ruleMetrics{
		recent:  recent,
		history: past,
		samples: samples,
		provider: rules.New(rules.Options{
			Samples: samples, Nodes: nodes, Pods: pods, MaxAge: maxAge, Reserved: ofCatalogue,
			Want: func(selectors []series.Selector) {
				names := make([]string, len(selectors))
				for i, selector := range selectors {
					names[i] = selector.Name
				}
				samples.Began(names, storage.MillisOf(time.Now()))
				recent.Want(selectors)
				changed()
			},
		}),
		custom:   o.customMetrics.enabled,
		external: o.customMetrics.external,
	}, nil
}

// ofCatalogue is rules.Reserved.
func ofCatalogue(resource schema.GroupResource, metric string) string {
	if resource.Group != "" {
		return ""
	}
	for _, section := range catalogue.Table() {
		for i := range section.Metrics {
			if m := &section.Metrics[i]; m.Name == metric && slices.Contains(m.Resources(), resource.Resource) {
				return "the catalogue"
			}
		}
	}
	return ""
}

// apply puts the rules of a configuration in force. refused says of those that are
// not why, with their lines.
func (m *ruleMetrics) apply(c *configfile.Config) (refused []error) {
	var usable []rules.Rule
	var lines []*configfile.Rule
	for i := range c.Rules {
		rule := &c.Rules[i]
		switch {
		case rule.Attach.External && !m.external:
			refused = append(refused, c.Problem(rule.Line, "rule %s: external metrics are served with --external-metrics only", rule.Name))
		case !rule.Attach.External && !m.custom:
			refused = append(refused, c.Problem(rule.Line, "rule %s: metrics of objects are served with --custom-metrics only", rule.Name))
		default:
			usable, lines = append(usable, ruleOf(rule)), append(lines, rule)
		}
	}
	for i, err := range m.provider.Set(usable) {
		if err != nil {
			refused = append(refused, ruleProblem(c, lines[i], err))
		}
	}
	return refused
}

// ruleOf is a rule of the file as a rule.
func ruleOf(r *configfile.Rule) rules.Rule {
	return rules.Rule{
		Name:   r.Name,
		Attach: rules.Attach{Group: r.Attach.Group, Resource: r.Attach.Resource, Label: r.Attach.Label, External: r.Attach.External},
		Expr:   r.Expr, Window: r.Window, MaxAge: r.MaxAge,
		OnMissing: rules.Policy(r.OnMissing), OnNaN: rules.Policy(r.OnNaN),
		Namespaces: r.Namespaces,
	}
}

// ruleProblem is what is wrong with a rule, at its line.
func ruleProblem(c *configfile.Config, r *configfile.Rule, err error) error {
	line := r.Line
	if field, ok := errors.AsType[*rules.FieldError](err); ok {
		line = r.LineOf(field.Field)
	}
	return c.Problem(line, "rule %s: %v", r.Name, err)
}
