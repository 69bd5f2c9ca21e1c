// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/internal/tally"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// What is here is read by people in `kubectl describe hpa`: each message stands for
// itself, says what was asked for, and what to do where that is known.

// omitsMissing is whether a value that lacks samples is left out.
func (r *Rule) omitsMissing() bool { return r.OnMissing == "" || r.OnMissing == Omit }

// noRule is that no rule in force has the metric of the resource.
func (f *inForce) noRule(q *custommetrics.Query) error {
	if err := f.refused[q.Metric]; err != nil {
		return custommetrics.NotFoundf("there is no metric %s: its rule is not in force: %v", q.Metric, err)
	}
	var resources []string
	for key := range f.custom {
		if key.metric == q.Metric {
			resources = append(resources, key.resource.String())
		}
	}
	if len(resources) > 0 {
		slices.Sort(resources)
		return custommetrics.NotFoundf("%s have no metric %s; its rule is about %s", q.Resource, q.Metric, strings.Join(resources, " and "))
	}
	return custommetrics.NotFoundf("there is no metric %s", q.Metric)
}

// notEvaluated is that there is no result for a namespace at all.
func (r *request) notEvaluated(namespace string) error {
	where := ""
	if namespace != "" {
		where = " in namespace " + namespace
	}
	return custommetrics.NotFoundf("no value of metric %s%s: its rule could not be evaluated: %v", r.query.Metric, where, r.result.Err)
}

// noneOf is nil where there is a value, else how many objects matched, and why none
// of them has one.
func (r *request) noneOf(what string) error {
	if r.matched > r.absent.Total() {
		return nil
	}
	q := r.query
	var text strings.Builder
	fmt.Fprintf(&text, "no value of metric %s (a rule)", q.Metric)
	if q.Name != custommetrics.AllObjects {
		fmt.Fprintf(&text, " for %s %s", what, q.Name)
	}
	if q.Namespace != "" {
		fmt.Fprintf(&text, " in namespace %s", q.Namespace)
	}
	switch {
	case q.Name != custommetrics.AllObjects:
		fmt.Fprintf(&text, ": %s", r.absent.First())
	default:
		fmt.Fprintf(&text, ": %d %s", r.matched, plural(what, r.matched))
		if !q.Selector.Empty() {
			fmt.Fprintf(&text, " with selector %q", q.Selector)
		}
		if r.matched > 0 {
			fmt.Fprintf(&text, ", none of which has a fresh value. %s", &r.absent)
		}
	}
	if r.absent.Has(otherLabels) {
		fmt.Fprintf(&text, "; the metric's selector is %q", q.MetricSelector)
	}
	if r.result != nil {
		text.WriteString(r.rule.background(r.result, r.rule.since))
	}
	return &custommetrics.NotFound{Message: text.String()}
}

// background is what is known of a result that lacks something.
func (c *Compiled) background(result *Result, since storage.Millis) string {
	var text strings.Builder
	if n := len(result.missing.inputs); n > 0 {
		fmt.Fprintf(&text, "; missing: %s", result.missing.describe())
	}
	if len(result.empty) > 0 {
		fmt.Fprintf(&text, "; there is no fresh series %s", strings.Join(result.empty, ", "))
		if since != 0 && !result.settled {
			fmt.Fprintf(&text, " yet: it has been collected for %v", (result.At - since).Duration().Round(time.Second))
		}
	}
	if result.short > 0 {
		fmt.Fprintf(&text, "; %d series are not kept, or not for long enough, for want of memory", result.short)
	}
	return text.String()
}

// describe is the inputs by their reasons: "3: its node has not answered (such as
// web-1)".
func (a *attribution) describe() string {
	var t tally.Tally[reason]
	for i := range a.inputs {
		t.Add(a.inputs[i].why, a.inputs[i].subject)
	}
	return t.String()
}

func (c *Compiled) externalIncomplete(result *Result, q *custommetrics.ExternalQuery, values int, absent *tally.Tally[reason]) error {
	text := fmt.Sprintf("no value of external metric %s in namespace %s: a sum of what there is would not be right", q.Metric, q.Namespace)
	if absent.Total() > 0 {
		text += fmt.Sprintf(", because %d of %d results with selector %q have no value. %s", absent.Total(), absent.Total()+values, q.Selector, absent)
	}
	return custommetrics.NotFoundf("%s%s", text, c.background(result, 0))
}

func (c *Compiled) externalNone(result *Result, q *custommetrics.ExternalQuery) error {
	return custommetrics.NotFoundf("no value of external metric %s in namespace %s: its rule has %d results, none of which selector %q matches%s",
		q.Metric, q.Namespace, len(result.Elements), q.Selector, c.background(result, 0))
}

// plural is what n of a thing are called.
func plural(what string, n int) string {
	if n == 1 || strings.Contains(what, " with ") || strings.HasSuffix(what, "s") {
		return what
	}
	return what + "s"
}
