// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// ObjectValue is what a rule comes to for one object, or for one series of an
// external metric.
type ObjectValue struct {
	// Object is the object's name, or the labels of the series.
	Object string
	// Milli is the value in thousandths, and Time that of its oldest sample, where
	// Reason is empty; else there is no value, for that reason.
	Milli  int64
	Time   storage.Millis
	Reason string
}

// Of is what the rule's values are of: a resource, or "external".
func (c *Compiled) Of() string {
	if c.rule.Attach.External {
		return "external"
	}
	return c.resource.String()
}

// Values is all that a result has for a namespace, also what is not served, sorted.
// Whether the objects exist is not known here.
func (c *Compiled) Values(r *Result, namespace string) []ObjectValue {
	var list []ObjectValue
	add := func(object string, v value, why reason) {
		o := ObjectValue{Object: object, Milli: v.milli, Time: v.time}
		if why != present {
			o = ObjectValue{Object: object, Time: r.At, Reason: "none: " + why.String()}
		}
		list = append(list, o)
	}
	if c.rule.Attach.External {
		for i := range r.Elements {
			v, why := c.valueOf(&r.Elements[i])
			add(r.Elements[i].Labels.String(), v, why)
		}
		slices.SortFunc(list, func(a, b ObjectValue) int { return strings.Compare(a.Object, b.Object) })
		return list
	}
	for _, name := range slices.Sorted(maps.Keys(r.byObject)) {
		object := name
		if object == "" && c.resource.Resource == namespacesResource {
			object = namespace
		}
		v, why := c.valueFor(r, namespace, object, labels.Everything())
		add(object, v, why)
	}
	return list
}

// Explain is why a result has no values, or not all.
func (c *Compiled) Explain(r *Result) string {
	if r.Err != nil {
		return "the expression could not be evaluated: " + r.Err.Error()
	}
	if text := strings.TrimPrefix(c.background(r, 0), "; "); text != "" {
		return text
	}
	return "the expression has no result"
}
