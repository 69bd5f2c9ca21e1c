// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"math"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// A Sample is a value of a rule as one of a series.
type Sample struct {
	// Rule is the rule's name.
	Rule string
	// Labels are those of the result, without a name, and with the namespace that it
	// is of, where it is of one.
	Labels labels.Labels
	Value  float64
}

// Each calls yield with what all rules in force are now, wherever they may be asked
// for: those of nodes once, and those of everything else in each namespace that has a
// running pod. Values that are not served for want of samples are left out. Rules are
// evaluated one at a time, in competition with whoever asks for them; failed is how
// many evaluations gave no result. It ends early with the context.
func (p *Provider) Each(ctx context.Context, yield func(Sample)) (evaluated, failed int) {
	if !p.options.Nodes.HasSynced() || !p.options.Pods.HasSynced() {
		return 0, 0
	}
	f := p.current.Load()
	one := func(rule *active, namespace string) {
		if ctx.Err() != nil {
			return
		}
		evaluated++
		result, err := f.results.of(ctx, rule, namespace)
		if err != nil || result.Err != nil {
			failed++
			return
		}
		rule.samples(result, namespace, yield)
	}
	namespaces := p.options.Pods.Namespaces()
	for key, rule := range f.custom {
		if key.resource.Group == "" && key.resource.Resource == nodesResource {
			one(rule, "")
			continue
		}
		for _, namespace := range namespaces {
			one(rule, namespace)
		}
	}
	for _, list := range f.external {
		for _, rule := range list {
			for _, namespace := range namespaces {
				if rule.VisibleIn(namespace) {
					one(rule, namespace)
				}
			}
		}
	}
	return evaluated, failed
}

// samples calls yield with what of a result is served.
func (c *Compiled) samples(r *Result, namespace string, yield func(Sample)) {
	if c.rule.Attach.External && len(r.missing.inputs) > 0 && c.rule.omitsMissing() {
		return
	}
	for i := range r.Elements {
		e := &r.Elements[i]
		own := e.Labels.Get(namespaceLabel)
		if own != "" && namespace != "" && own != namespace {
			continue // It calls itself what it cannot be.
		}
		// A quantity cannot be less than nothing, but a sample can.
		if _, why := c.valueOf(e); why != present && why != negative {
			continue
		}
		set := labels.NewBuilder(e.Labels).Del(model.MetricNameLabel)
		if namespace != "" {
			set.Set(namespaceLabel, namespace)
		}
		value := e.Value
		if math.IsNaN(value) {
			value = 0 // As the rule says: else there would be no value.
		}
		yield(Sample{Rule: c.rule.Name, Labels: set.Labels(), Value: value})
	}
}
