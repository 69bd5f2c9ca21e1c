// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"context"
	"slices"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A Part is a Provider beside others.
type Part interface {
	Provider
	// Knows is whether the provider has something to say of a metric of that name,
	// even if it is only why there is none.
	Knows(metric string) bool
}

// Mux is several providers as one: Custom asks the first that lists a metric of a
// resource, or, of what none lists, the first that knows the metric's name. What
// nobody knows is the last one's to answer, which is not asked whether it knows.
type Mux struct {
	parts []Part
	last  Provider
	// current is what the parts list.
	current atomic.Pointer[muxListing]
}

// muxListing is what all parts list. It is immutable.
type muxListing struct {
	// of is what each part, and the last, answered.
	of  [][]MetricInfo
	all []MetricInfo
	// owner is whose a metric is: the index of its part.
	owner map[muxKey]int
}

type muxKey struct {
	resource schema.GroupResource
	metric   string
}

// NewMux is the providers as one. Each of them goes before those after it.
func NewMux(last Provider, parts ...Part) *Mux { return &Mux{parts: parts, last: last} }

// provider is the provider of that index.
func (m *Mux) provider(i int) Provider {
	if i < len(m.parts) {
		return m.parts[i]
	}
	return m.last
}

// listing is what all parts list at the moment.
func (m *Mux) listing() *muxListing {
	current := m.current.Load()
	if current != nil && m.isCurrent(current) {
		return current
	}
	next := &muxListing{owner: map[muxKey]int{}}
	for i := range len(m.parts) + 1 {
		infos := m.provider(i).Metrics()
		next.of = append(next.of, infos)
		for _, info := range infos {
			key := muxKey{info.Resource, info.Metric}
			if _, taken := next.owner[key]; !taken {
				next.owner[key] = i
				next.all = append(next.all, info)
			}
		}
	}
	m.current.CompareAndSwap(current, next) // or a newer one may be there
	return next
}

// isCurrent is whether the parts list what they did: a provider returns the same
// slice as long as nothing changes.
func (m *Mux) isCurrent(l *muxListing) bool {
	for i, before := range l.of {
		now := m.provider(i).Metrics()
		if len(now) != len(before) || len(now) > 0 && &now[0] != &before[0] && !slices.Equal(now, before) {
			return false
		}
	}
	return true
}

// Metrics is Provider's.
func (m *Mux) Metrics() []MetricInfo { return m.listing().all }

// Custom is Provider's.
func (m *Mux) Custom(ctx context.Context, q *Query, a *Answer) error {
	if i, ok := m.listing().owner[muxKey{q.Resource, q.Metric}]; ok {
		return m.provider(i).Custom(ctx, q, a)
	}
	for _, part := range m.parts {
		if part.Knows(q.Metric) {
			return part.Custom(ctx, q, a)
		}
	}
	return m.last.Custom(ctx, q, a)
}
