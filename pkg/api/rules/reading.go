// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	promstorage "github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// Samples is where series are read from; *series.Recent is one. Its methods are
// called concurrently.
type Samples interface {
	// Select gives each series of a namespace and a name that match says yes to and
	// that has samples in a time, to which from and to belong. An empty namespace is
	// all of them.
	Select(namespace, name string, match func(series.Labels) bool, from, to storage.Millis, each func(series.Points) bool)
	// Answered is when a node's source last gave an answer, by our clock; 0 is not
	// yet.
	Answered(node string, source series.Source) storage.Millis
	// Shortfall is what Select lacks for want of memory.
	Shortfall(namespace, name string) series.Shortfall
}

// reading is what one evaluation reads, and what it finds missing. It is the
// engine's Queryable, and reaches nothing but the series of one namespace. It is
// used by one evaluation, which calls it from one goroutine at a time.
type reading struct {
	samples Samples
	pods    *objects.Pods
	rule    *Compiled
	// namespace is the only one that is read; empty is all.
	namespace string
	// at is the moment of the evaluation, maxAge how old samples may be, and since
	// when the rule's series have been selected.
	at, maxAge, since storage.Millis
	// keep is up to how many samples are read; exceeded is that there were more.
	keep     int
	exceeded bool

	builder labels.ScratchBuilder
	used    attribution
	missing attribution
	// empty is the names of which there was no series at all.
	empty []string
	// lastPod is the pod of the series before: those of one follow upon each other.
	lastPod struct {
		namespace, name string
		pod             *objects.Pod
	}
}

var _ promstorage.Queryable = (*reading)(nil)

// Querier is promstorage.Queryable's.
func (r *reading) Querier(int64, int64) (promstorage.Querier, error) { return querier{r}, nil }

// errExceeded is that there were more samples than may be read.
var errExceeded = fmt.Errorf("it reads more than %d samples: narrow it by more labels, or a shorter range", maxSamples)

// querier is a promstorage.Querier.
type querier struct{ *reading }

// Select is promstorage.Querier's. All that an expression reads comes this way.
func (q querier) Select(ctx context.Context, _ bool, hints *promstorage.SelectHints, matchers ...*labels.Matcher) promstorage.SeriesSet {
	set := &seriesSet{}
	q.read(ctx, set, hints, matchers)
	return set
}

// LabelValues is promstorage.Querier's; no expression calls it.
func (querier) LabelValues(context.Context, string, *promstorage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// LabelNames is promstorage.Querier's; no expression calls it.
func (querier) LabelNames(context.Context, *promstorage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// Close is promstorage.Querier's.
func (querier) Close() error { return nil }

// staleReach is how far back beyond what is asked for is looked for the newest
// sample of series that have grown old.
const staleReach = 5 * 60_000

// read puts what a selector matches into set.
func (r *reading) read(ctx context.Context, set *seriesSet, hints *promstorage.SelectHints, matchers []*labels.Matcher) {
	s := newSelection(r, hints, matchers)
	match := func(l series.Labels) bool {
		return matches(matchers, l) && (!s.onePath || l.Get(pathLabel) == s.path)
	}
	from := min(s.from, r.at-r.maxAge) - staleReach
	r.samples.Select(r.namespace, s.name, match, from, r.at, func(p series.Points) bool {
		s.add(set, &p)
		if set.err = ctx.Err(); r.exceeded {
			set.err = errExceeded // for the engine to end at once
		}
		return set.err == nil
	})
	if len(set.series) == 0 && !slices.Contains(r.empty, s.name) {
		r.empty = append(r.empty, s.name)
	}
	s.missPods(matchers)
}

// volumeStats is what series begin with that are of a namespace and of no pod.
const volumeStats = "kubelet_volume_stats_"

// podOf is the pod that a series is about; nil is none. known is false where the
// series is not believed: of a pod that does not run, or not on the node that says
// so, or, in a namespace, of nothing that is in one.
func (r *reading) podOf(l series.Labels) (pod *objects.Pod, known bool) {
	name := l.Get(podLabel)
	if name == "" {
		return nil, r.namespace == "" || strings.HasPrefix(l.Get(series.NameLabel), volumeStats)
	}
	namespace := l.Get(namespaceLabel)
	if last := &r.lastPod; last.name != name || last.namespace != namespace {
		last.name, last.namespace = name, namespace
		last.pod, _ = r.pods.Get(namespace, name)
	}
	pod = r.lastPod.pod
	return pod, pod != nil && pod.Node == l.Get(nodeLabel)
}

// labelsOf is the labels of a series for the engine, with the derived ones.
func (r *reading) labelsOf(l series.Labels, pod *objects.Pod) labels.Labels {
	r.builder.Reset()
	for _, label := range l {
		// What a kubelet calls like a derived label is not taken for one.
		if !isDerived(label.Name) {
			r.builder.Add(label.Name, label.Value)
		}
	}
	if pod != nil && r.rule.derived.any() {
		r.rule.derived.appendTo(&r.builder, pod)
		r.builder.Sort()
	}
	return r.builder.Labels()
}
