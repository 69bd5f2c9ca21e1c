// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import "github.com/metrics-apiserver/metrics-apiserver/pkg/storage"

// A Selector says which series to keep, and how far back.
type Selector struct {
	// Name is the series' name; empty is any.
	Name string
	// Match is called with all labels, those of the target among them, and must be
	// safe for concurrent use. nil is: all match.
	Match func(Labels) bool
	// Range is how far back samples are kept, from the newest answer.
	Range storage.Millis
	// Sources are where series are taken from; none is where SourceOf says, or all
	// of them where Name is empty.
	Sources SourceSet
}

// sources is Sources, or what stands for none.
func (s *Selector) sources() SourceSet {
	switch {
	case s.Sources != 0:
		return s.Sources
	case s.Name == "":
		return SourceSetOf(Resource, Cadvisor, Summary)
	default:
		return SourceSetOf(SourceOf(s.Name))
	}
}

// wanted is what is selected, made for looking up. It is immutable.
type wanted struct {
	generation uint64
	sources    SourceSet
	named      map[string][]Selector
	any        []Selector
}

func newWanted(generation uint64, selectors []Selector) *wanted {
	w := &wanted{generation: generation, named: map[string][]Selector{}}
	for _, s := range selectors {
		s.Sources = s.sources()
		w.sources |= s.Sources
		if s.Name == "" {
			w.any = append(w.any, s)
		} else {
			w.named[s.Name] = append(w.named[s.Name], s)
		}
	}
	return w
}

// wants says whether a series of that name may be selected.
func (w *wanted) wants(name string, source Source) bool {
	for _, list := range [2][]Selector{w.named[name], w.any} {
		for i := range list {
			if list[i].Sources.Has(source) {
				return true
			}
		}
	}
	return false
}

// keep is how far back samples of a series are kept; ok is false where it is not
// selected.
func (w *wanted) keep(labels Labels, source Source) (keep storage.Millis, ok bool) {
	for _, list := range [2][]Selector{w.named[labels.Get(NameLabel)], w.any} {
		for i := range list {
			s := &list[i]
			if s.Sources.Has(source) && (!ok || s.Range > keep) && (s.Match == nil || s.Match(labels)) {
				keep, ok = max(keep, s.Range), true
			}
		}
	}
	return keep, ok
}
