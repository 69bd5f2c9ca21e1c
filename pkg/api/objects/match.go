// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"k8s.io/apimachinery/pkg/labels"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
)

// Matcher is whether the pods of one request match a label selector. It must not
// be used concurrently.
type Matcher struct {
	selector labels.Selector
	// all is that every pod matches.
	all bool
	// last is the answer on the labels of the pod before: those that follow upon
	// each other are often of one workload, whose labels are one string.
	last struct {
		labels  wire.Labels
		matches bool
		known   bool
	}
}

// NewMatcher is a matcher for selector.
func NewMatcher(selector labels.Selector) *Matcher {
	return &Matcher{selector: selector, all: selector.Empty()}
}

// All is whether every pod matches.
func (m *Matcher) All() bool { return m.all }

// Matches is whether pod matches.
func (m *Matcher) Matches(pod *Pod) bool {
	if m.all {
		return true
	}
	if !m.last.known || pod.Labels != m.last.labels {
		m.last.labels, m.last.known = pod.Labels, true
		m.last.matches = m.selector.Matches(&m.last.labels) // by a pointer, lest it be copied to the heap
	}
	return m.last.matches
}
