// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"slices"
	"sync"
	"sync/atomic"
)

// index finds rings by namespace and name. Readers take no lock: maps are made for
// that, and lists are copied where a ring leaves one. Writers hold Recent.mu.
type index struct {
	spaces sync.Map // of namespaces to *space
}

// space is the rings of one namespace.
type space struct {
	lists sync.Map // of names to *list
	// held is how many lists there are.
	held int
}

// list is the rings of one name in one namespace.
type list struct {
	namespace, name string
	rings           atomic.Pointer[[]*ring]
	// missing is how many series ought to be here and are not, for lack of memory;
	// shortened is how many are here, less far back than they ought to be.
	missing, shortened atomic.Int64
}

// list is the list of a name in a namespace, made where there is none.
func (x *index) list(namespace, name string) *list {
	v, ok := x.spaces.Load(namespace)
	if !ok {
		v, _ = x.spaces.LoadOrStore(namespace, &space{})
	}
	s, _ := v.(*space)
	if v, ok = s.lists.Load(name); !ok {
		s.held++
		v, _ = s.lists.LoadOrStore(name, &list{namespace: namespace, name: name})
	}
	l, _ := v.(*list)
	return l
}

// all is the rings.
func (l *list) all() []*ring {
	if rings := l.rings.Load(); rings != nil {
		return *rings
	}
	return nil
}

// add adds a ring. Readers that have the list see as many as there were.
func (l *list) add(r *ring) {
	rings := append(l.all(), r)
	l.rings.Store(&rings)
}

// sweep takes out of a list what is dropped, and the list where nothing is left.
func (x *index) sweep(l *list) {
	var kept []*ring
	for _, r := range l.all() {
		if !r.dropped {
			kept = append(kept, r)
		}
	}
	kept = slices.Clip(kept)
	l.rings.Store(&kept)
	if len(kept) > 0 || l.missing.Load() > 0 {
		return
	}
	v, ok := x.spaces.Load(l.namespace)
	s, _ := v.(*space)
	if held, _ := s.find(l.name); !ok || held != l {
		return // It was taken out before.
	}
	s.lists.Delete(l.name)
	if s.held--; s.held == 0 {
		x.spaces.Delete(l.namespace)
	}
}

func (s *space) find(name string) (*list, bool) {
	if s == nil {
		return nil, false
	}
	v, _ := s.lists.Load(name)
	l, ok := v.(*list)
	return l, ok
}

// each visits the lists of a namespace and a name; empty is all of them.
func (x *index) each(namespace, name string, visit func(*list) bool) {
	if namespace != "" {
		if v, ok := x.spaces.Load(namespace); ok {
			s, _ := v.(*space)
			s.each(name, visit)
		}
		return
	}
	x.spaces.Range(func(_, v any) bool {
		s, _ := v.(*space)
		return s.each(name, visit)
	})
}

func (s *space) each(name string, visit func(*list) bool) (more bool) {
	if name != "" {
		if l, ok := s.find(name); ok {
			return visit(l)
		}
		return true
	}
	more = true
	s.lists.Range(func(_, v any) bool {
		l, _ := v.(*list)
		more = visit(l)
		return more
	})
	return more
}
