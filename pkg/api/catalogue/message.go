// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/internal/tally"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// What is here is read by people in `kubectl describe hpa`: each message stands
// for itself, says what was asked for, and what to do where that is known.

func (p *Provider) noSuchMetric(q *custommetrics.Query) error {
	text := fmt.Sprintf("there is no metric %s", q.Metric)
	if near := p.nearest(q.Metric); near != "" {
		text += fmt.Sprintf("; did you mean %s?", near)
	}
	return &custommetrics.NotFound{Message: text}
}

func noSuchResource(q *custommetrics.Query, m *Metric) error {
	return custommetrics.NotFoundf("%s have no metric %s; %s have", q.Resource, q.Metric, strings.Join(m.Resources(), " and "))
}

func hasNoLabels(q *custommetrics.Query) error {
	return custommetrics.NotFoundf("metric %s has no labels, so the metric selector %q matches nothing: leave it out; to choose pods, use the other selector",
		q.Metric, q.MetricSelector)
}

func nodesHaveNoNamespace(q *custommetrics.Query) error {
	return custommetrics.NotFoundf("nodes are in no namespace, so metric %s of node %s cannot be asked for in namespace %s, which is what an HPA does", q.Metric, q.Name, q.Namespace)
}

func namespacesHaveNoLabels(q *custommetrics.Query) error {
	return custommetrics.NotFoundf("namespaces cannot be selected by labels (%q) for metric %s: ask for one by its name, or for all", q.Selector, q.Metric)
}

// noSuchObject is that the one object that was asked for is not there.
func (r *request) noSuchObject(kind string) error {
	switch q := r.query; kind {
	case "pod":
		return custommetrics.NotFoundf("no value of metric %s: no pod %s runs in namespace %s", q.Metric, q.Name, q.Namespace)
	case "namespace":
		return custommetrics.NotFoundf("no value of metric %s: no pod runs in namespace %s", q.Metric, q.Name)
	default:
		return custommetrics.NotFoundf("no value of metric %s: there is no %s %s, or it is not among those that are scraped", q.Metric, kind, q.Name)
	}
}

// noneOf is nil where there is a value, else how many objects matched, and why
// none of them has one.
func (r *request) noneOf(what string) error {
	if r.matched > r.absent.Total() {
		return nil
	}
	q := r.query
	var text strings.Builder
	fmt.Fprintf(&text, "no value of metric %s", q.Metric)
	if q.Name != custommetrics.AllObjects {
		fmt.Fprintf(&text, " for %s %s", what, q.Name)
		if q.Namespace != "" {
			fmt.Fprintf(&text, " in namespace %s", q.Namespace)
		}
		fmt.Fprintf(&text, ": %s%s", r.absent.First(), r.needs(&r.absent))
		return &custommetrics.NotFound{Message: text.String()}
	}
	if q.Namespace != "" {
		fmt.Fprintf(&text, " in namespace %s", q.Namespace)
	}
	fmt.Fprintf(&text, ": %d %s", r.matched, plural(what, r.matched))
	if !q.Selector.Empty() {
		fmt.Fprintf(&text, " with %s", describe(q.Selector))
	}
	if r.matched > 0 {
		fmt.Fprintf(&text, ", none of which has a fresh value. %s%s", &r.absent, r.needs(&r.absent))
	}
	return &custommetrics.NotFound{Message: text.String()}
}

// noSum is nil where the namespace has a value, else why it has none.
func (r *request) noSum(s *sum) error {
	if r.absent.Total() == 0 {
		return nil
	}
	q := r.query
	switch {
	case s.missing.Total() > 0:
		return custommetrics.NotFoundf("no value of metric %s for namespace %s: %d of its %d running pods without one, and the sum of the others would be too small. %s",
			q.Metric, q.Name, s.missing.Total(), s.pods, &s.missing)
	case s.added == 0:
		return custommetrics.NotFoundf("no value of metric %s for namespace %s: none of its %d running pods has one. %s%s",
			q.Metric, q.Name, s.pods, &s.leftOut, r.needs(&s.leftOut))
	default:
		return custommetrics.NotFoundf("no value of metric %s for namespace %s: %s", q.Metric, q.Name, r.absent.First())
	}
}

// needs is what a node must have for the metric, where that may be what lacks.
func (r *request) needs(t *tally.Tally[reason]) string {
	if r.metric.Needs == "" || !t.Has(reason(storage.NotGiven)) {
		return ""
	}
	return fmt.Sprintf("; the metric needs %s", r.metric.Needs)
}

func describe(selector labels.Selector) string { return fmt.Sprintf("selector %q", selector.String()) }

// plural is what n of a thing are called.
func plural(what string, n int) string {
	if head, rest, ok := strings.Cut(what, " with "); ok {
		return plural(head, n) + " with " + rest
	}
	if n == 1 {
		return what
	}
	return what + "s"
}
