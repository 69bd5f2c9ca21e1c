// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// metricKey is a metric of a resource.
type metricKey struct {
	resource schema.GroupResource
	metric   string
}

// inForce is all rules that are in force. It is immutable.
type inForce struct {
	custom   map[metricKey]*active
	external map[string][]*active
	// refused is why rules of a name are not in force, for those of objects, and
	// refusedExternal the others.
	refused         map[string]error
	refusedExternal []refusedRule

	// counters are those of each name.
	counters map[string]*counters

	infos         []custommetrics.MetricInfo
	externalNames []string
	results       *results
}

// refusedRule is a rule that is not in force.
type refusedRule struct {
	rule Rule
	err  error
}

// Reserved says whose a metric of a resource is already, in words for people; ""
// is nobody's. It may be nil.
type Reserved func(resource schema.GroupResource, metric string) string

// CompileAll compiles rules that are to be in force together. Both results are
// parallel to rules: of each there is one or the other, and the error is a
// *FieldError. One that is refused does not keep others from being in force.
func CompileAll(rules []Rule, reserved Reserved) (compiled []*Compiled, refused []error) {
	compiled, refused = make([]*Compiled, len(rules)), make([]error, len(rules))
	taken := map[metricKey]bool{}
	external := map[string][]*Compiled{}
	for i := range rules {
		c, err := Compile(rules[i])
		if err == nil {
			err = c.clash(taken, external, reserved)
		}
		if err != nil {
			refused[i] = err
			continue
		}
		compiled[i] = c
		if c.rule.Attach.External {
			external[c.rule.Name] = append(external[c.rule.Name], c)
		} else {
			taken[metricKey{c.resource, c.rule.Name}] = true
		}
	}
	return compiled, refused
}

// clash is that another has the metric.
func (c *Compiled) clash(taken map[metricKey]bool, external map[string][]*Compiled, reserved Reserved) error {
	refuse := func(format string, args ...any) error {
		return &FieldError{Field: "name", Err: fmt.Errorf(format, args...)}
	}
	name := c.rule.Name
	if c.rule.Attach.External {
		for _, other := range external[name] {
			for _, namespace := range c.rule.Namespaces {
				if namespace == AllNamespaces || other.VisibleIn(namespace) {
					return refuse("another rule has the external metric %s already, in a namespace of this one: give it another name, or other namespaces", name)
				}
			}
		}
		return nil
	}
	if taken[metricKey{c.resource, name}] {
		return refuse("another rule has the metric %s of %s already: give it another name", name, c.resource)
	}
	if reserved != nil {
		if owner := reserved(c.resource, name); owner != "" {
			return refuse("%s has the metric %s of %s: give it another name", owner, name, c.resource)
		}
	}
	return nil
}

// Set puts rules in force instead of those before. The errors are parallel to
// rules: nil, or a *FieldError that says why a rule is not in force. Requests that
// are being answered are so by the rules from before.
//
// Concurrent calls are put in force in some order.
func (p *Provider) Set(rules []Rule) []error {
	compiled, refused := CompileAll(rules, p.options.Reserved)
	p.setting.Lock()
	defer p.setting.Unlock()
	now := storage.MillisOf(time.Now())
	before := p.current.Load()
	next := &inForce{
		custom: map[metricKey]*active{}, external: map[string][]*active{}, refused: map[string]error{}, counters: map[string]*counters{},
		results: newResults(p.evaluator, p.options.Concurrency),
	}
	var selectors []series.Selector
	for i, c := range compiled {
		if c == nil {
			next.refuse(rules[i], refused[i])
			continue
		}
		selectors = append(selectors, c.Selectors(p.options.MaxAge)...)
		rule := before.kept(c, now)
		if rule.counters = before.counters[c.rule.Name]; next.counters[c.rule.Name] != nil {
			rule.counters = next.counters[c.rule.Name]
		} else if rule.counters == nil {
			rule.counters = &counters{}
		}
		next.counters[c.rule.Name] = rule.counters
		next.add(rule)
	}
	// What is read is wanted first: an answer that comes before the rules change
	// is one of those that have it.
	if p.options.Want != nil {
		p.options.Want(selectors)
	}
	for key := range next.custom {
		next.infos = append(next.infos, custommetrics.MetricInfo{Resource: key.resource, Namespaced: namespacedResource(key.resource), Metric: key.metric})
	}
	slices.SortFunc(next.infos, func(a, b custommetrics.MetricInfo) int {
		return slices.Compare([]string{a.Resource.String(), a.Metric}, []string{b.Resource.String(), b.Metric})
	})
	for name := range next.external {
		next.externalNames = append(next.externalNames, name)
	}
	slices.Sort(next.externalNames)
	p.current.Store(next)
	return refused
}

// add puts a rule in force.
func (f *inForce) add(rule *active) {
	if name := rule.rule.Name; rule.rule.Attach.External {
		f.external[name] = append(f.external[name], rule)
	} else {
		f.custom[metricKey{rule.resource, name}] = rule
	}
}

// refuse takes down why a rule is not in force.
func (f *inForce) refuse(rule Rule, err error) {
	if rule.Attach.External {
		f.refusedExternal = append(f.refusedExternal, refusedRule{rule, err})
	} else {
		f.refused[rule.Name] = err
	}
}

// kept is a rule to put in force: one that reads what it read before goes on with
// what it has, also of its budget.
func (f *inForce) kept(c *Compiled, now storage.Millis) *active {
	before := f.external[c.rule.Name]
	if !c.rule.Attach.External {
		before = nil
		if rule := f.custom[metricKey{c.resource, c.rule.Name}]; rule != nil {
			before = []*active{rule}
		}
	}
	for _, rule := range before {
		if rule.rule.Expr == c.rule.Expr && rule.maxAge == c.maxAge {
			return &active{Compiled: c, since: rule.since, turn: rule.turn, budget: rule.budget}
		}
	}
	return &active{Compiled: c, since: now, turn: make(chan struct{}, 1), budget: newBudget(time.Now())}
}
