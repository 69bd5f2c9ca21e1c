// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"slices"
	"sync/atomic"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// A Reader asks rings, and history for what was before the rings' beginning. It is
// safe for concurrent use.
//
// Rings have all of a series from when its name was first selected, which is when a
// rule came; so once a rule is older than what it looks back, nobody asks the
// history for it any more.
type Reader struct {
	*series.Recent
	history *Store
	began   atomic.Pointer[map[string]storage.Millis]
}

// NewReader reads rings and history. Until Began says otherwise, rings have all.
func NewReader(rings *series.Recent, history *Store) *Reader {
	r := &Reader{Recent: rings, history: history}
	r.began.Store(&map[string]storage.Millis{})
	return r
}

// Began says which names are selected into rings from now on; now is by our clock.
// An empty one is all names. Those that were selected before began when they did.
func (r *Reader) Began(names []string, now storage.Millis) {
	before, after := *r.began.Load(), map[string]storage.Millis{}
	for _, name := range names {
		after[name] = now
		if at, ok := before[name]; ok {
			after[name] = at
		}
	}
	r.began.Store(&after)
}

// settle is for how long after a name was selected a node may not have been read
// yet.
const settle = 120_000

// needs says whether rings may lack something from a time on.
func (r *Reader) needs(name string, from storage.Millis) bool {
	began := *r.began.Load()
	at, ok := began[name]
	if all, any := began[""]; any && (!ok || all < at) {
		at, ok = all, true
	}
	if name == "" { // Any of them may be meant.
		for _, each := range began {
			at, ok = max(at, each), true
		}
	}
	// What began with the rings has nothing that they lack.
	first := storage.Millis(r.history.first.Load())
	return ok && from < at+settle && first != 0 && first < at
}

// Select is as series.Recent.Select. Each series comes once.
func (r *Reader) Select(namespace, name string, match func(series.Labels) bool, from, to storage.Millis, each func(series.Points) bool) {
	if !r.needs(name, from) {
		r.Recent.Select(namespace, name, match, from, to, each)
		return
	}
	older := newParts()
	r.history.Select(namespace, name, match, from, to, func(p series.Points) bool {
		older.add(p)
		return true
	})
	if len(older.byLabels) == 0 {
		r.Recent.Select(namespace, name, match, from, to, each)
		return
	}
	more := true
	r.Recent.Select(namespace, name, match, from, to, func(p series.Points) bool {
		if before := older.take(p.Labels); before != nil {
			end, _ := slices.BinarySearch(before.Times, p.Times[0])
			p.Times = append(before.Times[:end:end], p.Times...)
			p.Values = append(before.Values[:end:end], p.Values...)
		}
		more = each(p)
		return more
	})
	for _, p := range older.byLabels {
		if more = more && each(*p); !more {
			return
		}
	}
}

// parts are series by their labels.
type parts struct {
	byLabels map[string]*series.Points
	key      []byte
}

func newParts() *parts { return &parts{byLabels: map[string]*series.Points{}} }

// keyOf is a key for labels.
func (s *parts) keyOf(labels series.Labels) []byte {
	s.key = s.key[:0]
	for _, label := range labels {
		// No name has the byte, and no value: both are UTF-8.
		s.key = append(append(s.key, label.Name...), 0xff)
		s.key = append(append(s.key, label.Value...), 0xff)
	}
	return s.key
}

// add adds a series, or a part of one. Parts that overlap are joined where the
// later one begins.
func (s *parts) add(p series.Points) {
	key := s.keyOf(p.Labels)
	was := s.byLabels[string(key)]
	if was == nil {
		s.byLabels[string(key)] = &p
		return
	}
	if was.Times[0] > p.Times[0] {
		*was, p = p, *was
	}
	if was.Times[len(was.Times)-1] >= p.Times[len(p.Times)-1] {
		return // It has nothing that is newer.
	}
	end, _ := slices.BinarySearch(was.Times, p.Times[0])
	was.Times = append(was.Times[:end:end], p.Times...)
	was.Values = append(was.Values[:end:end], p.Values...)
}

// take takes a series out.
func (s *parts) take(labels series.Labels) *series.Points {
	key := s.keyOf(labels)
	p := s.byLabels[string(key)]
	if p != nil {
		delete(s.byLabels, string(key))
	}
	return p
}
