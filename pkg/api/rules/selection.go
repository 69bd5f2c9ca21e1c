// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	promstorage "github.com/prometheus/prometheus/storage"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// settledAge is how old a pod must be for a value to wait for its samples: two of
// them take two refreshes of the kubelet, at most 30 s apart.
const settledAge = 60 * time.Second

// selection is one selector while it is read.
type selection struct {
	*reading
	name string
	// from and to bound the samples that are used, by their times.
	from, to storage.Millis
	// two is that a series of one sample gives no result.
	two bool
	// onePath is that only series read at path are taken.
	onePath bool
	path    string
	sources series.SourceSet
	// derived is the matchers over derived labels.
	derived []*labels.Matcher
	// fresh is the labels of the series that are used, stale those that are too
	// old, until all are known.
	fresh []series.Labels
	stale []staleSeries
	key   []byte
}

type staleSeries struct {
	own    series.Labels
	labels labels.Labels
	// place is where its pod is in known; -1 is that it has none.
	place int
	why   reason
}

func newSelection(r *reading, hints *promstorage.SelectHints, matchers []*labels.Matcher) *selection {
	s := &selection{
		reading: r,
		from:    storage.Millis(hints.Start),
		to:      storage.Millis(hints.End),
		two:     hints.Range > 0 && needsTwo(hints.Func),
	}
	var paths []*labels.Matcher
	for _, m := range matchers {
		switch {
		case m.Name == series.NameLabel && m.Type == labels.MatchEqual:
			s.name = m.Value
		case m.Name == pathLabel:
			paths = append(paths, m)
		case isDerived(m.Name):
			s.derived = append(s.derived, m)
		}
	}
	if s.sources = sourcesOf(s.name, paths); len(paths) == 0 {
		s.onePath, s.path = true, series.SourceOf(s.name).Path()
	}
	return s
}

// needsTwo is whether a function of a range gives nothing for one sample.
func needsTwo(function string) bool {
	switch function {
	case "rate", "irate", "increase", "delta", "idelta", "deriv", "predict_linear", "double_exponential_smoothing":
		return true
	default:
		return false
	}
}

// add takes in one series.
func (s *selection) add(set *seriesSet, p *series.Points) {
	known, believed := s.podOf(p.Labels)
	if !believed {
		return
	}
	place, began, pod := -1, storage.Millis(0), (*objects.Pod)(nil)
	if known != nil {
		place, began, pod = s.last, known.began, known.pod
	}
	n := len(p.Times)
	newest, ended := p.Times[n-1], series.IsStaleMarker(p.Values[n-1])
	switch {
	case newest < s.at-s.maxAge && ended:
		return // It was gone by then: nothing is missing.
	case newest < began:
		return // It is of a pod before this one, which had its name.
	}
	own := s.labelsOf(p.Labels, pod)
	for _, m := range s.derived {
		if !m.Matches(own.Get(m.Name)) {
			return
		}
	}
	if known != nil {
		known.seenBy = s.selections
	}
	if newest < s.at-s.maxAge {
		s.stale = append(s.stale, staleSeries{p.Labels, own, place, tooOld})
		return
	}
	first, _ := slices.BinarySearch(p.Times, max(s.from, began))
	end, _ := slices.BinarySearch(p.Times, s.to+1)
	used := end - first
	if ended && end == n && used > 0 {
		used--
	}
	if used <= 0 {
		if !ended && pod != nil && began < s.from {
			s.stale = append(s.stale, staleSeries{p.Labels, own, place, noneThen})
		}
		return
	}
	if s.keep -= end - first; s.keep < 0 {
		s.exceeded = true
		return
	}
	if s.two && used < 2 && !ended {
		s.stale = append(s.stale, staleSeries{p.Labels, own, place, oneSample})
	} else {
		s.fresh = append(s.fresh, p.Labels)
		s.used.add(own, newest)
	}
	set.add(own, s.pointsOf(p.Times[first:end], p.Values[first:end]))
}

// runKey is all labels of a series but those that change when a container is
// started anew.
func (s *selection) runKey(l series.Labels) string {
	s.key = s.key[:0]
	for _, label := range l {
		switch label.Name {
		case "id", "name", "image":
			continue
		}
		s.key = append(s.key, label.Name...)
		s.key = append(s.key, 0)
		s.key = append(s.key, label.Value...)
		s.key = append(s.key, 0)
	}
	return string(s.key)
}

// missPods finds what the selector ought to have matched and did not.
func (s *selection) missPods(matchers []*labels.Matcher) {
	var runs map[string]bool // of the series that are used
	for i := range s.stale {
		if runs == nil {
			runs = make(map[string]bool, len(s.fresh))
			for _, l := range s.fresh {
				runs[s.runKey(l)] = true
			}
		}
		stale := &s.stale[i]
		if runs[s.runKey(stale.own)] || stale.place >= 0 && !s.known[stale.place].oughtToHave(stale.own.Get(containerLabel), s.at) {
			continue
		}
		s.missing.addMissing(stale.labels, stale.why, subjectOf(stale.own))
	}
	if s.namespace == "" && s.rule.resource.Resource == nodesResource {
		return // A node that does not answer has no value, and that is all.
	}
	for pod := range s.pods.All(s.namespace) {
		known := &s.known[s.placeOf(podName{pod.Namespace, pod.Name}, pod)]
		if known.seenBy == s.selections || known.pod == nil || !known.oughtToHave("", s.at) || s.answered(known) || !s.mayMatch(matchers, known.pod) {
			continue
		}
		s.missing.addMissing(s.builder.Labels(), noAnswer, known.name)
	}
}

// oughtToHave is whether a pod, or its container if one is named, ought to have
// samples: the sum of others would lack them.
func (k *knownPod) oughtToHave(container string, at storage.Millis) bool {
	pod := k.pod
	if pod.Terminating || k.began > at-storage.MillisIn(settledAge) {
		return false
	}
	if container == "" || container == "POD" {
		return pod.HasRunning()
	}
	for i := range pod.Containers.Statuses {
		if c := &pod.Containers.Statuses[i]; c.Name == container {
			return c.Running
		}
	}
	return pod.HasRunning()
}

// answered is whether a pod's node has answered lately, since its series have been
// selected, and since the pod began: if it said nothing of the pod then, it has none.
func (s *selection) answered(known *knownPod) bool {
	for source := range series.Sources {
		if s.sources.Has(source) && s.samples.Answered(known.pod.Node, source) < max(1, s.at-s.maxAge, s.since, known.began) {
			return false
		}
	}
	return true
}

// mayMatch is whether matchers allow series of a pod, as far as its labels are
// known, which it leaves in the builder.
func (s *selection) mayMatch(matchers []*labels.Matcher, pod *objects.Pod) bool {
	s.builder.Reset()
	s.builder.Add(namespaceLabel, pod.Namespace)
	s.builder.Add(nodeLabel, pod.Node)
	s.builder.Add(podLabel, pod.Name)
	s.rule.derived.appendTo(&s.builder, pod)
	s.builder.Sort()
	known := s.builder.Labels()
	for _, m := range matchers {
		switch {
		case m.Name == podLabel, m.Name == namespaceLabel, m.Name == nodeLabel, isDerived(m.Name):
			if !m.Matches(known.Get(m.Name)) {
				return false
			}
		case m.Name == containerLabel && !m.Matches("") && !slices.ContainsFunc(pod.Containers.Statuses, func(c storage.ContainerStatus) bool { return m.Matches(c.Name) }):
			return false
		}
	}
	return true
}

// subjectOf is what a series is about, for people.
func subjectOf(l series.Labels) string {
	for _, name := range [...]string{podLabel, nodeLabel} {
		if value := l.Get(name); value != "" {
			return value
		}
	}
	return l.Get(series.NameLabel)
}
