// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"k8s.io/apimachinery/pkg/labels"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
)

// answerPods answers for one pod, or for all live ones that the selector matches.
func (r *request) answerPods() error {
	q := r.query
	if q.Name != custommetrics.AllObjects {
		pod, ok := r.pods.Get(q.Namespace, q.Name)
		if !ok {
			return r.noSuchObject("pod")
		}
		r.addPod(pod)
		return r.noneOf("pod")
	}
	match := podMatcher{selector: q.Selector, all: q.Selector.Empty()}
	for pod := range r.pods.All(q.Namespace) {
		// A pod that goes still uses what it uses, but what it will do for the
		// next replica count is nothing.
		if pod.Terminating || !match.matches(pod) {
			continue
		}
		r.addPod(pod)
	}
	return r.noneOf("running pod")
}

func (r *request) addPod(pod *objects.Pod) {
	r.matched++
	t, why := r.podOrReason(pod)
	r.add(pod.Namespace, pod.Name, t, why)
}

// podOrReason is ofPod, with the better reason where the pod's node is none of
// ours.
func (r *request) podOrReason(pod *objects.Pod) (term, reason) {
	t, why := r.ofPod(pod)
	if why != present && !why.lasting() {
		if _, ours := r.nodes.Get(pod.Node); !ours {
			return term{}, notScraped
		}
	}
	return t, why
}

// podMatcher is whether pods match a selector.
type podMatcher struct {
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

func (m *podMatcher) matches(pod *objects.Pod) bool {
	if m.all {
		return true
	}
	if !m.last.known || pod.Labels != m.last.labels {
		m.last.labels, m.last.known = pod.Labels, true
		m.last.matches = m.selector.Matches(&m.last.labels) // by a pointer, lest it be copied to the heap
	}
	return m.last.matches
}
