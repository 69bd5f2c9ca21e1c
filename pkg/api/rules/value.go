// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"math"

	"github.com/prometheus/prometheus/model/labels"
	k8slabels "k8s.io/apimachinery/pkg/labels"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// value is what is served of an element.
type value struct {
	time  storage.Millis
	milli int64
}

// valueOf is what an element is worth, or why it is worth nothing.
func (c *Compiled) valueOf(e *Element) (value, reason) {
	if e.lacks > 0 && (c.rule.OnMissing == "" || c.rule.OnMissing == Omit) {
		return value{}, incomplete
	}
	number := e.Value
	if math.IsNaN(number) {
		if c.rule.OnNaN != Zero {
			return value{}, notANumber
		}
		number = 0
	}
	scaled := math.Round(number * 1000)
	switch {
	case scaled < 0:
		return value{}, negative
	case scaled >= 1<<63: // which is a float64 and no int64
		return value{}, infinite
	default:
		return value{e.Time, int64(scaled)}, present
	}
}

// valueFor is the value of one object in a namespace, of what selector says of the
// labels of its results.
func (c *Compiled) valueFor(r *Result, namespace, name string, selector k8slabels.Selector) (value, reason) {
	found, why := -1, noResult
	indices := r.byObject[name]
	if len(indices) == 0 && c.resource.Resource == namespacesResource && c.resource.Group == "" {
		indices = r.byObject[""] // It is of nothing but the namespace.
	}
	for _, i := range indices {
		e := &r.Elements[i]
		if other := e.Labels.Get(namespaceLabel); other != "" && namespace != "" && other != namespace {
			continue // It calls itself what it cannot be.
		}
		if !selector.Empty() && !selector.Matches(labelSet{e.Labels}) {
			if found < 0 {
				why = otherLabels
			}
			continue
		}
		if found >= 0 {
			return value{}, ambiguous
		}
		found = i
	}
	if found < 0 {
		if c.rule.OnMissing == Zero && why == noResult && r.settled {
			return value{time: r.At}, present
		}
		return value{}, why
	}
	return c.valueOf(&r.Elements[found])
}

// labelSet is the labels of a result for a selector of Kubernetes.
type labelSet struct{ labels labels.Labels }

// Has implements k8slabels.Labels.
func (s labelSet) Has(name string) bool { return s.labels.Has(name) }

// Get implements k8slabels.Labels.
func (s labelSet) Get(name string) string { return s.labels.Get(name) }

// Lookup implements k8slabels.Labels.
func (s labelSet) Lookup(name string) (string, bool) { return s.labels.Get(name), s.labels.Has(name) }
