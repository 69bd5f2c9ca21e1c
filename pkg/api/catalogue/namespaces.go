// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/internal/tally"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// settledAge is how old a pod must be for a sum to wait for its value: a rate
// takes two refreshes of the kubelet, at most 30 s apart.
const settledAge = 60 * time.Second

// answerNamespaces answers for one namespace, or for all that have running pods.
func (r *request) answerNamespaces() error {
	q := r.query
	if q.Name != custommetrics.AllObjects {
		var s sum
		for pod := range r.pods.All(q.Name) {
			r.addToSum(&s, pod)
		}
		if s.pods == 0 {
			return r.noSuchObject("namespace")
		}
		r.matched++
		r.addSum(q.Name, &s)
		return r.noSum(&s)
	}
	if !q.Selector.Empty() {
		return namespacesHaveNoLabels(q)
	}
	var s sum
	name := ""
	for pod := range r.pods.All("") {
		if pod.Namespace != name {
			if s.pods > 0 {
				r.addSum(name, &s)
			}
			name, s = pod.Namespace, sum{}
			r.matched++
		}
		r.addToSum(&s, pod)
	}
	if s.pods > 0 {
		r.addSum(name, &s)
	}
	return r.noneOf("namespace with running pods")
}

// sum is the sum over the pods of one namespace.
type sum struct {
	term
	// pods is how many there are, added how many are in the sum.
	pods, added int
	// missing says why there is no sum: pods that ought to be in it. leftOut is
	// the others that are not.
	missing, leftOut tally.Tally[reason]
}

// addToSum adds a pod to the sum of its namespace.
func (r *request) addToSum(s *sum, pod *objects.Pod) {
	s.pods++
	t, why := r.podOrReason(pod)
	switch {
	case why == present:
		s.add(&t)
	case why.lasting() || pod.Terminating || r.young(pod):
		s.leftOut.Add(why, pod.Name)
	default:
		s.missing.Add(why, pod.Name)
	}
}

// young is whether a pod began too lately for its value to be waited for. When it
// began is said by its node's clock.
func (r *request) young(pod *objects.Pod) bool {
	return pod.Started+r.usage.Offset(pod.Node) > r.at-storage.MillisIn(settledAge)
}

func (s *sum) add(t *term) {
	if s.added == 0 || t.time < s.time {
		s.time, s.window = t.time, t.window
	}
	s.over += t.over
	s.under += t.under
	s.added++
}

// addSum puts the sum of a namespace into the answer, or the reason why there is
// none into the tally.
func (r *request) addSum(name string, s *sum) {
	switch {
	case s.missing.Total() > 0:
		r.absent.Add(s.missing.First(), name)
	case s.added == 0:
		r.absent.Add(s.leftOut.First(), name)
	default:
		t := s.term
		if !r.metric.Pods.isQuotient() {
			t.under = 1
		}
		r.add("", name, t, present)
	}
}
