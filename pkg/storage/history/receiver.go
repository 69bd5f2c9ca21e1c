// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// receiver takes in one source of a node. It is a series.Chooser.
type receiver struct {
	store  *Store
	node   string
	source series.Source
	// target is what it fills; nil while nothing is kept.
	target     *target
	generation uint64
}

// Generation changes where all that was kept is given up, and where the source is
// kept from then on or not any more.
func (r *receiver) Generation() uint64 {
	if now := r.store.generation.Load(); now != r.generation {
		// The series are not gone, so no marker says so. Where the target is still
		// kept, it is found again; where it is not, it stays readable until it is
		// overwritten, or was given up with all others.
		if r.target != nil {
			r.target.suspend()
		}
		r.target, r.generation = r.store.target(r.node, r.source), now
	}
	return r.generation
}

// Wants says whether anything is kept.
func (r *receiver) Wants(string) bool { return r.target != nil }

// Open gives each series a handle.
func (r *receiver) Open(labels series.Labels, _ *series.Metadata) series.Handle {
	if r.target == nil {
		return 0
	}
	return r.target.open(labels)
}

// Commit takes in one answer.
func (r *receiver) Commit(b *series.Batch, gone []series.Handle) {
	if r.target != nil {
		r.target.commit(b, gone)
		if r.store.first.Load() == 0 {
			r.store.first.CompareAndSwap(0, int64(b.Received))
		}
	}
	r.store.sweep(b.Received)
}

// Failed changes nothing.
func (r *receiver) Failed(storage.Millis) {}

// End ends all series.
func (r *receiver) End(at storage.Millis) {
	if r.target != nil {
		r.target.end(at)
		r.target = nil
	}
	r.store.sweep(at)
}
