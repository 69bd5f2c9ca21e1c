// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// ErrNotSynced is why nothing is served in the first moments after a start: a "not
// found" would be untrue then.
var ErrNotSynced = errors.New("the cluster's nodes and pods have not been listed yet")

// Options are what a Provider answers from. Samples, Nodes and Pods are required.
type Options struct {
	Samples Samples
	Nodes   *objects.Nodes
	Pods    *objects.Pods
	// Want is told which series the rules in force read, before they are; it may be
	// nil.
	Want func([]series.Selector)
	// Reserved says which metrics others have; it may be nil.
	Reserved Reserved
	// MaxAge is how old a sample may be where a rule does not say. 0 is
	// DefaultMaxAge.
	MaxAge time.Duration
	// Concurrency is how many evaluations run at once. 0 is as many as half of the
	// CPUs, at least 2.
	Concurrency int
}

// Provider has the metrics of the rules in force: none until Set is called. It is a
// custommetrics.Provider and a custommetrics.ExternalProvider.
type Provider struct {
	options   Options
	evaluator *Evaluator
	current   atomic.Pointer[inForce]
	setting   sync.Mutex
}

var (
	_ custommetrics.Provider         = (*Provider)(nil)
	_ custommetrics.ExternalProvider = (*Provider)(nil)
)

// New is a provider without rules.
func New(options Options) *Provider {
	if options.Concurrency == 0 {
		options.Concurrency = max(2, runtime.GOMAXPROCS(0)/2)
	}
	if options.MaxAge == 0 {
		options.MaxAge = DefaultMaxAge
	}
	p := &Provider{options: options, evaluator: NewEvaluator(options.Samples, options.Pods, options.MaxAge)}
	p.current.Store(&inForce{results: newResults(p.evaluator, options.Concurrency)})
	return p
}

// Metrics is custommetrics.Provider's.
func (p *Provider) Metrics() []custommetrics.MetricInfo { return p.current.Load().infos }

// ExternalMetrics is custommetrics.ExternalProvider's.
func (p *Provider) ExternalMetrics() []string { return p.current.Load().externalNames }

// Knows is whether there is a rule of that name for objects, also one that is
// refused: nobody else has more to say of it.
func (p *Provider) Knows(metric string) bool {
	f := p.current.Load()
	for key := range f.custom {
		if key.metric == metric {
			return true
		}
	}
	return f.refused[metric] != nil
}

// Custom is custommetrics.Provider's.
func (p *Provider) Custom(ctx context.Context, q *custommetrics.Query, a *custommetrics.Answer) error {
	if !p.options.Nodes.HasSynced() || !p.options.Pods.HasSynced() {
		return ErrNotSynced
	}
	f := p.current.Load()
	rule := f.custom[metricKey{q.Resource, q.Metric}]
	if rule == nil {
		return f.noRule(q)
	}
	a.Kind, a.APIVersion = rule.kind, rule.apiVersion
	r := &request{provider: p, results: f.results, rule: rule, query: q, answer: a}
	switch q.Resource {
	case schema.GroupResource{Resource: podsResource}:
		return r.answerPods(ctx)
	case schema.GroupResource{Resource: nodesResource}:
		return r.answerNodes(ctx)
	case schema.GroupResource{Resource: namespacesResource}:
		return r.answerNamespace(ctx)
	default:
		return r.answerObjects(ctx)
	}
}
