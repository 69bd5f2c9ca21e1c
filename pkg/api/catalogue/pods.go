// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
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
	match := objects.NewMatcher(q.Selector)
	for pod := range r.pods.All(q.Namespace) {
		// A pod that goes still uses what it uses, but what it will do for the
		// next replica count is nothing.
		if pod.Terminating || !match.Matches(pod) {
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
