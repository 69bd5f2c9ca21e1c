// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"sync/atomic"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/internal/tally"
)

// External is custommetrics.ExternalProvider's. Where a metric is not visible, it
// does not exist, as far as anybody there is told.
func (p *Provider) External(ctx context.Context, q *custommetrics.ExternalQuery) ([]custommetrics.ExternalValue, error) {
	if !p.options.Nodes.HasSynced() || !p.options.Pods.HasSynced() {
		return nil, ErrNotSynced
	}
	f := p.current.Load()
	for _, rule := range f.external[q.Metric] {
		if !rule.VisibleIn(q.Namespace) {
			continue
		}
		result, err := f.results.of(ctx, rule, q.Namespace)
		if err != nil {
			return nil, err
		}
		return rule.external(result, q, &rule.counters.omitted)
	}
	for i := range f.refusedExternal {
		refused := &Compiled{rule: f.refusedExternal[i].rule}
		if refused.rule.Name == q.Metric && refused.VisibleIn(q.Namespace) {
			return nil, custommetrics.NotFoundf("there is no external metric %s in namespace %s: its rule is not in force: %v", q.Metric, q.Namespace, f.refusedExternal[i].err)
		}
	}
	return nil, custommetrics.NotFoundf("there is no external metric %s in namespace %s", q.Metric, q.Namespace)
}

// external is the values of a result that a query selects. An HPA adds them up, so
// it is all of them or none.
func (c *Compiled) external(result *Result, q *custommetrics.ExternalQuery, omitted *[reasons]atomic.Uint64) ([]custommetrics.ExternalValue, error) {
	if result.Err != nil {
		return nil, custommetrics.NotFoundf("no value of external metric %s in namespace %s: its rule could not be evaluated: %v", q.Metric, q.Namespace, result.Err)
	}
	var values []custommetrics.ExternalValue
	var absent tally.Tally[reason]
	for i := range result.Elements {
		e := &result.Elements[i]
		if !q.Selector.Empty() && !q.Selector.Matches(labelSet{e.Labels}) {
			continue
		}
		v, why := c.valueOf(e)
		if why != present {
			absent.Add(why, e.Labels.String())
			omitted[why].Add(1)
			continue
		}
		values = append(values, custommetrics.ExternalValue{Labels: e.Labels.Map(), Time: v.time, Window: c.window, Milli: v.milli})
	}
	lacks := len(result.missing.inputs) > 0 && c.rule.omitsMissing()
	switch {
	case absent.Total() > 0 || lacks:
		return nil, c.externalIncomplete(result, q, len(values), &absent)
	case len(values) > 0:
		return values, nil
	case c.rule.OnMissing == Zero && result.settled && len(result.Elements) == 0:
		return []custommetrics.ExternalValue{{Labels: map[string]string{}, Time: result.At, Window: c.window}}, nil
	default:
		return nil, c.externalNone(result, q)
	}
}
