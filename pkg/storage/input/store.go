// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package input

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Store holds the latest readings of every node. Create it with New; it starts
// no goroutine.
type Store struct {
	table     [IDs]Info
	staleness storage.Millis
	kept      atomic.Uint64 // a Set
	nodes     sync.Map      // node name → *slot
}

// slot is one node's place in the store.
type slot struct{ sources [Sources]place }

// place is what one source of a node has given.
type place struct {
	// commit serializes the writers; readers never take it.
	commit sync.Mutex
	// state is nil while nothing of the source is held.
	state atomic.Pointer[state]
}

// ErrBadBatch is returned by Commit for a batch without a node's name, or whose
// columns do not fit its layout or its source; it is a bug of the caller.
var ErrBadBatch = errors.New("input: BUG: the batch names no node, or its columns do not fit its layout or source")

// New is an empty store that keeps no input. Of the options only the resolution
// matters here.
func New(options storage.Options) (*Store, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	return &Store{table: Table(), staleness: storage.MillisIn(options.Staleness())}, nil
}

// Keep says which inputs are wanted from now on. When it returns, what was held
// of others is dropped, and it is not taken any more.
func (s *Store) Keep(set Set) {
	s.kept.Store(uint64(set & All()))
	s.nodes.Range(func(_, value any) bool {
		for i := range value.(*slot).sources {
			place := &value.(*slot).sources[i]
			// A commit that began before reads the set under this lock.
			place.commit.Lock()
			if old := place.state.Load(); old != nil {
				place.state.Store(old.only(set))
			}
			place.commit.Unlock()
		}
		return true
	})
}

// Kept is the set that Keep was given last.
func (s *Store) Kept() Set { return Set(s.kept.Load()) }

// Commit takes in one answer of one source of one node and publishes it at once.
// The batch belongs to the caller again when Commit returns. The error is
// ErrBadBatch, a bug of the caller; bad readings are refused and counted in the
// result instead.
func (s *Store) Commit(b *Batch) (CommitResult, error) {
	var result CommitResult
	if !s.fits(b) {
		return result, ErrBadBatch
	}
	value, ok := s.nodes.Load(b.Node)
	if !ok {
		if b.Inputs&s.Kept() == 0 {
			return result, nil
		}
		value, _ = s.nodes.LoadOrStore(b.Node, &slot{})
	}
	place := &value.(*slot).sources[b.Source]
	place.commit.Lock()
	defer place.commit.Unlock()
	asked := b.Inputs & s.Kept()
	if asked == 0 {
		place.state.Store(nil)
		return result, nil
	}
	place.state.Store(s.next(place.state.Load(), b, asked, &result))
	return result, nil
}

// fits says whether the batch is of the form that Batch demands.
func (s *Store) fits(b *Batch) bool {
	if b.Node == "" || b.Source >= Sources {
		return false
	}
	pods, containers := rows(b.Layout)
	if b.PodRuns != nil && len(b.PodRuns) != pods || b.ContainerRuns != nil && len(b.ContainerRuns) != containers {
		return false
	}
	for id := range b.Inputs.Each() {
		if id >= IDs || s.table[id].Source != b.Source {
			return false
		}
		column := &b.Columns[id]
		if len(column.Values) != len(column.Times) {
			return false
		}
		if n := len(column.Values); n != 0 && n != s.table[id].Level.rows(b.Layout) {
			return false
		}
	}
	return true
}

// Forget drops all that is known of a node. The caller makes sure that no commit
// of that node is under way or follows.
func (s *Store) Forget(node string) { s.nodes.Delete(node) }

// load is what is held of the source of an input, or nil where the input was
// not asked for.
func (s *Store) load(node string, id ID) *state {
	state := s.held(node, s.table[id].Source)
	if state == nil || !state.asked.Has(id) {
		return nil
	}
	return state
}

// held is what is held of a source of a node, or nil.
func (s *Store) held(node string, source Source) *state {
	value, ok := s.nodes.Load(node)
	if !ok {
		return nil
	}
	return value.(*slot).sources[source].state.Load()
}

// rows is how many pods and containers a layout names; nil is none.
func rows(layout *storage.Layout) (pods, containers int) {
	if layout == nil {
		return 0, 0
	}
	return len(layout.Pods), len(layout.Containers)
}

// rows is how many rows of the layout the level has.
func (l Level) rows(layout *storage.Layout) int {
	pods, containers := rows(layout)
	switch l {
	case OfPod:
		return pods
	case OfContainer:
		return containers
	default:
		return 0
	}
}
