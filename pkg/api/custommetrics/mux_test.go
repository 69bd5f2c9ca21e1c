// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"context"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// part is a Part that answers with its own name.
type part struct {
	name  string
	infos []MetricInfo
	knows []string
}

func (p *part) Metrics() []MetricInfo { return p.infos }

func (p *part) Knows(metric string) bool { return slices.Contains(p.knows, metric) }

func (p *part) Custom(context.Context, *Query, *Answer) error { return &NotFound{Message: p.name} }

func TestMux(t *testing.T) {
	pods, nodes := schema.GroupResource{Resource: "pods"}, schema.GroupResource{Resource: "nodes"}
	podMetric, nodeMetric := MetricInfo{pods, true, "m"}, MetricInfo{nodes, false, "m"}
	other := MetricInfo{pods, true, "other"}
	first := &part{name: "first", infos: []MetricInfo{podMetric}, knows: []string{"m", "refused"}}
	last := &part{name: "last", infos: []MetricInfo{podMetric, nodeMetric, other}}
	mux := NewMux(last, first)
	check := func(resource schema.GroupResource, metric, want string) {
		t.Helper()
		if err := mux.Custom(t.Context(), &Query{Resource: resource, Metric: metric}, &Answer{}); err == nil || err.Error() != want {
			t.Errorf("%s of %v is answered by %v, want %s", metric, resource, err, want)
		}
	}
	check(pods, "m", "first")
	check(nodes, "m", "last")
	check(pods, "other", "last")
	check(pods, "refused", "first")
	check(schema.GroupResource{Resource: "namespaces"}, "m", "first")
	check(pods, "unknown", "last")

	listed := mux.Metrics()
	if want := []MetricInfo{podMetric, nodeMetric, other}; !slices.Equal(listed, want) {
		t.Errorf("lists %v, want %v", listed, want)
	}
	if again := mux.Metrics(); &again[0] != &listed[0] {
		t.Error("the same listing is made twice")
	}
	first.infos, first.knows = []MetricInfo{other}, nil
	check(pods, "m", "last")
	check(pods, "other", "first")
	if want := []MetricInfo{other, podMetric, nodeMetric}; !slices.Equal(mux.Metrics(), want) {
		t.Errorf("lists %v, want %v", mux.Metrics(), want)
	}
}
