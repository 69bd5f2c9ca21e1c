// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"k8s.io/apimachinery/pkg/labels"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
)

// answerNodes answers for one node, or for all that the selector matches.
func (r *request) answerNodes() error {
	q := r.query
	if q.Namespace != "" {
		return nodesHaveNoNamespace(q)
	}
	if q.Name != custommetrics.AllObjects {
		if _, ok := r.nodes.Get(q.Name); !ok {
			return r.noSuchObject("node")
		}
		r.addNode(q.Name)
		return r.noneOf("node")
	}
	all := q.Selector.Empty()
	for _, node := range r.nodes.List() {
		if all || q.Selector.Matches(labels.Set(node.Labels)) {
			r.addNode(node.Name)
		}
	}
	return r.noneOf("node")
}

func (r *request) addNode(name string) {
	r.matched++
	t, why := r.ofNode(name)
	r.add("", name, t, why)
}
