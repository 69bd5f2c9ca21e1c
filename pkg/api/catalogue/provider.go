// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/internal/tally"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// ErrNotSynced is why nothing is served in the first moments after a start: a
// "not found" would be untrue then.
var ErrNotSynced = errors.New("the cluster's nodes and pods have not been listed yet")

// Timing of first requests.
const (
	// firstWait is how long a request waits for inputs that nobody wanted
	// before. The HPA's few workers wait with it, so it is short.
	firstWait = 1500 * time.Millisecond
	// firstPoll is how often it looks whether they have come.
	firstPoll = 50 * time.Millisecond
)

// Options are what a Provider answers from. All fields are required but the last
// two.
type Options struct {
	Usage  Usage
	Inputs Inputs
	Nodes  *objects.Nodes
	Pods   *objects.Pods
	// Demand is told of what is asked for.
	Demand *Demand
	// Off is inputs that are never collected, and OffBecause says why, to stand
	// behind "because".
	Off        input.Set
	OffBecause string
}

// Provider has the metrics of the catalogue. It is a custommetrics.Provider.
type Provider struct {
	options Options
	metrics map[string]*Metric
	infos   []custommetrics.MetricInfo
}

// New is a provider of all metrics of the Table.
func New(options Options) *Provider {
	p := &Provider{options: options, metrics: byName()}
	for _, section := range Table() {
		for i := range section.Metrics {
			m := &section.Metrics[i]
			for _, resource := range m.Resources() {
				p.infos = append(p.infos, custommetrics.MetricInfo{
					Resource:   corev1.Resource(resource),
					Namespaced: resource == podsResource,
					Metric:     m.Name,
				})
			}
		}
	}
	return p
}

// byName is the metrics of the Table by their names.
func byName() map[string]*Metric {
	metrics := map[string]*Metric{}
	for _, section := range Table() {
		for i := range section.Metrics {
			metrics[section.Metrics[i].Name] = &section.Metrics[i]
		}
	}
	return metrics
}

// The resources that have metrics.
const (
	podsResource       = "pods"
	nodesResource      = "nodes"
	namespacesResource = "namespaces"
)

// Resources is which resources have the metric, in the plural.
func (m *Metric) Resources() []string {
	var resources []string
	if m.Pods.Defined() {
		resources = append(resources, podsResource)
	}
	if m.Nodes.Defined() {
		resources = append(resources, nodesResource)
	}
	if m.Namespaces {
		resources = append(resources, namespacesResource)
	}
	return resources
}

// Metrics is custommetrics.Provider's.
func (p *Provider) Metrics() []custommetrics.MetricInfo { return p.infos }

// Custom is custommetrics.Provider's. A request for what nobody wanted until now
// waits up to firstWait for it.
func (p *Provider) Custom(ctx context.Context, q *custommetrics.Query, a *custommetrics.Answer) error {
	if !p.options.Nodes.HasSynced() || !p.options.Pods.HasSynced() {
		return ErrNotSynced
	}
	metric, err := p.find(q)
	if err != nil {
		return err
	}
	inputs := metric.inputsOf(q.Resource.Resource)
	if inputs&p.options.Off != 0 {
		return custommetrics.NotFoundf("no value of metric %s: it is not collected, because %s", q.Metric, p.options.OffBecause)
	}
	began := p.options.Demand.ask(inputs, time.Now())
	deadline := began.Add(firstWait)
	before := len(a.Values)
	for {
		again, err := p.answer(metric, q, a)
		if !again || inputs == 0 || time.Until(deadline) < firstPoll {
			return err
		}
		a.Values = a.Values[:before]
		timer := time.NewTimer(firstPoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// inputsOf is what has to be collected for the metric of a resource.
func (m *Metric) inputsOf(resource string) input.Set {
	if resource == nodesResource {
		return m.Nodes.Inputs()
	}
	return m.Pods.Inputs()
}

// find is the metric that q asks for, if the resource has it and the selector of
// series does not exclude it.
func (p *Provider) find(q *custommetrics.Query) (*Metric, error) {
	metric := p.metrics[q.Metric]
	if metric == nil {
		return nil, p.noSuchMetric(q)
	}
	has := false
	if q.Resource.Group == corev1.GroupName {
		switch q.Resource.Resource {
		case podsResource:
			has = metric.Pods.Defined()
		case nodesResource:
			has = metric.Nodes.Defined()
		case namespacesResource:
			has = metric.Namespaces
		}
	}
	if !has {
		return nil, noSuchResource(q, metric)
	}
	if !q.MetricSelector.Matches(labels.Set(nil)) {
		return nil, hasNoLabels(q)
	}
	return metric, nil
}

// answer appends the values to a. again says that a value may come in a moment.
func (p *Provider) answer(metric *Metric, q *custommetrics.Query, a *custommetrics.Answer) (again bool, err error) {
	r := &request{
		evaluator: evaluator{
			usage:  p.options.Usage,
			inputs: p.options.Inputs,
			metric: metric,
			at:     storage.MillisOf(time.Now()),
		},
		nodes:  p.options.Nodes,
		pods:   p.options.Pods,
		query:  q,
		answer: a,
	}
	a.APIVersion = corev1.SchemeGroupVersion.String()
	switch q.Resource {
	case schema.GroupResource{Resource: nodesResource}:
		a.Kind = "Node"
		err = r.answerNodes()
	case schema.GroupResource{Resource: namespacesResource}:
		a.Kind = "Namespace"
		err = r.answerNamespaces()
	default:
		a.Kind = "Pod"
		err = r.answerPods()
	}
	return r.absent.Has(reason(storage.NotCollected)), err
}

// request is one pass over the objects that a query asks for.
type request struct {
	evaluator
	nodes  *objects.Nodes
	pods   *objects.Pods
	query  *custommetrics.Query
	answer *custommetrics.Answer
	// matched is how many objects the query selects; absent says why some of
	// them have no value.
	matched int
	absent  tally.Tally[reason]
}

// add puts the value of one object into the answer, or the reason why there is
// none into the tally.
func (r *request) add(namespace, name string, t term, why reason) {
	value, ok := int64(0), false
	if why == present {
		if value, ok = t.milli(); !ok {
			why = notANumber
		}
	}
	if !ok {
		r.absent.Add(why, name)
		return
	}
	r.answer.Values = append(r.answer.Values, custommetrics.Value{
		Namespace: namespace, Name: name, Time: t.time, Window: t.window, Milli: value,
	})
}
