// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/internal/tally"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
)

// request is one query of one rule.
type request struct {
	provider *Provider
	results  *results
	rule     *active
	query    *custommetrics.Query
	answer   *custommetrics.Answer
	// matched is how many objects the query selects; absent says why some have no
	// value, and result is what it was looked for in at last.
	matched int
	absent  tally.Tally[reason]
	result  *Result
}

// evaluate evaluates the rule for a namespace. The error is for the client.
func (r *request) evaluate(ctx context.Context, namespace string) error {
	result, err := r.results.of(ctx, r.rule, namespace)
	if err != nil {
		return err
	}
	r.result = result
	if result.Err != nil {
		return r.notEvaluated(namespace)
	}
	return nil
}

// add puts the value of an object into the answer, or the reason why there is none
// into the tally.
func (r *request) add(namespace, evaluated, name string) {
	r.matched++
	v, why := r.rule.valueFor(r.result, evaluated, name, r.query.MetricSelector)
	if why != present {
		r.absent.Add(why, name)
		r.rule.counters.omitted[why].Add(1)
		return
	}
	r.answer.Values = append(r.answer.Values, custommetrics.Value{
		Namespace: namespace, Name: name, Time: v.time, Window: r.rule.window, Milli: v.milli,
	})
}

// answerPods answers for one pod, or for all that the selector matches.
func (r *request) answerPods(ctx context.Context) error {
	q, pods := r.query, r.provider.options.Pods
	if q.Name != custommetrics.AllObjects {
		if _, ok := pods.Get(q.Namespace, q.Name); !ok {
			return custommetrics.NotFoundf("no value of metric %s: no pod %s runs in namespace %s", q.Metric, q.Name, q.Namespace)
		}
		if err := r.evaluate(ctx, q.Namespace); err != nil {
			return err
		}
		r.add(q.Namespace, q.Namespace, q.Name)
		return r.noneOf("pod")
	}
	match := objects.NewMatcher(q.Selector)
	namespace, failed := "", error(nil)
	for pod := range pods.All(q.Namespace) {
		// A pod that goes still uses what it uses, but what it will do for the next
		// replica count is nothing.
		if pod.Terminating || !match.Matches(pod) {
			continue
		}
		if pod.Namespace != namespace {
			namespace = pod.Namespace
			if failed = r.evaluate(ctx, namespace); failed != nil {
				break
			}
		}
		r.add(pod.Namespace, pod.Namespace, pod.Name)
	}
	if failed != nil {
		return failed
	}
	return r.noneOf("running pod")
}

// answerNodes answers for one node, or for all that the selector matches.
func (r *request) answerNodes(ctx context.Context) error {
	q, nodes := r.query, r.provider.options.Nodes
	if q.Namespace != "" {
		return custommetrics.NotFoundf("nodes are in no namespace, so metric %s of node %s cannot be asked for in namespace %s, which is what an HPA does", q.Metric, q.Name, q.Namespace)
	}
	if err := r.evaluate(ctx, ""); err != nil {
		return err
	}
	if q.Name != custommetrics.AllObjects {
		if _, ok := nodes.Get(q.Name); !ok {
			return custommetrics.NotFoundf("no value of metric %s: there is no node %s, or it is not among those that are scraped", q.Metric, q.Name)
		}
		r.add("", "", q.Name)
		return r.noneOf("node")
	}
	all := q.Selector.Empty()
	for _, node := range nodes.List() {
		if all || q.Selector.Matches(labels.Set(node.Labels)) {
			r.add("", "", node.Name)
		}
	}
	return r.noneOf("node")
}

// answerNamespace answers for one namespace.
func (r *request) answerNamespace(ctx context.Context) error {
	q := r.query
	if q.Name == custommetrics.AllObjects {
		return custommetrics.NotFoundf("metric %s is of one namespace at a time: it is at .../namespaces/{namespace}/metrics/%s", q.Metric, q.Metric)
	}
	if err := r.evaluate(ctx, q.Name); err != nil {
		return err
	}
	r.add("", q.Name, q.Name)
	return r.noneOf("namespace")
}

// answerObjects answers for an object of which nothing else is known, or for all
// that have a result.
func (r *request) answerObjects(ctx context.Context) error {
	q := r.query
	switch {
	case q.Namespace == "":
		return custommetrics.NotFoundf("metric %s of %s is of one namespace at a time: it is at .../namespaces/{namespace}/%s/%s/%s", q.Metric, q.Resource, q.Resource, q.Name, q.Metric)
	case !q.Selector.Empty():
		return custommetrics.NotFoundf("%s cannot be selected by labels (%q) for metric %s, which is of a rule: ask for one by its name, or for all", q.Resource, q.Selector, q.Metric)
	}
	if err := r.evaluate(ctx, q.Namespace); err != nil {
		return err
	}
	if q.Name != custommetrics.AllObjects {
		r.add(q.Namespace, q.Namespace, q.Name)
		return r.noneOf(q.Resource.String())
	}
	for _, name := range slices.Sorted(maps.Keys(r.result.byObject)) {
		if name != "" {
			r.add(q.Namespace, q.Namespace, name)
		}
	}
	return r.noneOf(q.Resource.String() + " with a result")
}
