// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"fmt"
	"slices"
	"strconv"

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
	// Offset is what has to be added to times by a node's clock to make them ours.
	Offset(node string) storage.Millis
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

	// In scratch are also: known, which is the pods that were looked for, each as it
	// was the first time, since no two selectors may see different pods by one name;
	// place, which is where they are in it; and used, which is what was read.
	*scratch

	builder labels.ScratchBuilder
	missing attribution
	// empty is the names of which there was no series at all.
	empty []string
	// last is the place of the pod of the series before: those of one follow upon
	// each other.
	last int
	// selections is how many selectors have been read, numbered how many series were
	// given a number.
	selections, numbered int
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
	if q.selections == len(q.scratch.series) {
		q.scratch.series = append(q.scratch.series, nil)
	}
	place := &q.scratch.series[q.selections]
	set.series = (*place)[:0]
	q.read(ctx, set, hints, matchers)
	*place = set.series
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
	r.selections++
	s := newSelection(r, hints, matchers)
	rest := slices.DeleteFunc(slices.Clone(matchers), func(m *labels.Matcher) bool {
		return m.Name == series.NameLabel && m.Type == labels.MatchEqual && m.Value == s.name // as all have that come
	})
	match := func(l series.Labels) bool {
		return matches(rest, l) && (!s.onePath || l.Get(pathLabel) == s.path)
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

// podName is which pod a series is about.
type podName struct{ namespace, name string }

// knownPod is a pod as one evaluation sees it.
type knownPod struct {
	podName
	// pod is nil where none of that name runs.
	pod *objects.Pod
	// began is when it began, by our clock; 0 is unknown. What is older is of
	// another that had its name.
	began storage.Millis
	// seenBy is the number of the newest selector that has a series of it, fresh or
	// not.
	seenBy int
}

// podOf is the pod that a series is about; nil is none. believed is false where the
// series is not: of a pod that does not run, or not on the node that says so, or, in
// a namespace, of nothing that is in one.
func (r *reading) podOf(l series.Labels) (known *knownPod, believed bool) {
	name := l.Get(podLabel)
	if name == "" {
		return nil, r.namespace == "" || series.IsOfClaim(l.Get(series.NameLabel))
	}
	key := podName{r.namespace, name}
	if key.namespace == "" {
		key.namespace = l.Get(namespaceLabel)
	}
	if r.last >= len(r.known) || r.known[r.last].podName != key {
		r.last = r.placeOf(key, nil)
	}
	known = &r.known[r.last]
	return known, known.pod != nil && known.pod.Node == l.Get(nodeLabel)
}

// placeOf is where a pod is in known, looked for unless it is given.
func (r *reading) placeOf(key podName, pod *objects.Pod) int {
	if i, ok := r.place[key]; ok {
		return i
	}
	known := knownPod{podName: key, pod: pod}
	if pod == nil {
		known.pod, _ = r.pods.Get(key.namespace, key.name)
	}
	if known.pod != nil && known.pod.Started != 0 {
		known.began = known.pod.Started + r.samples.Offset(known.pod.Node)
	}
	r.place[key] = len(r.known)
	r.known = append(r.known, known)
	return len(r.known) - 1
}

// labelsOf is the labels of a series for the engine, with the derived ones, as far
// as the expression can see them.
func (r *reading) labelsOf(l series.Labels, pod *objects.Pod) labels.Labels {
	r.builder.Reset()
	if r.rule.narrow != nil {
		r.narrow(l)
	} else {
		r.widen(l)
	}
	if pod != nil && r.rule.derived.any() {
		r.rule.derived.appendTo(&r.builder, pod)
		r.builder.Sort()
	}
	return r.builder.Labels()
}

// narrow puts the labels of a series that the expression can see into the builder,
// and a number.
func (r *reading) narrow(l series.Labels) {
	for _, name := range r.rule.narrow {
		if name == numberLabel {
			r.numbered++
			r.builder.Add(name, strconv.Itoa(r.numbered))
		} else if value := l.Get(name); value != "" && !isDerived(name) {
			r.builder.Add(name, value)
		}
	}
}

// widen puts all labels of a series into the builder.
func (r *reading) widen(l series.Labels) {
	for _, label := range l {
		// What a kubelet calls like a derived label is not taken for one.
		if !isDerived(label.Name) {
			r.builder.Add(label.Name, label.Value)
		}
	}
}
