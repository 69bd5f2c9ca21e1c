// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"sync/atomic"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// A slot is a place for a sink among the consumers of whoever reads kubelets, who
// wants to know all of them from the beginning.
type slot struct {
	// member is nil while the slot is free.
	member atomic.Pointer[member]
}

// Sources is series.Consumer's: what of kubelets the sink wants.
func (s *slot) Sources() series.SourceSet {
	if m := s.member.Load(); m != nil {
		return m.sink.Sources() &^ series.SourceSetOf(series.Rules)
	}
	return 0
}

// Receiver is series.Consumer's.
func (s *slot) Receiver(node string, source series.Source) series.Receiver {
	return &slotReceiver{slot: s, node: node, source: source}
}

// A slotReceiver is a receiver of the slot's sink. It is a series.Chooser because
// the sink may become another one, which has to be told of all series.
type slotReceiver struct {
	slot   *slot
	node   string
	source series.Source

	member     *member
	receiver   series.Receiver
	generation uint64
}

// look makes the receiver one of the slot's sink as it is now. The sink before is
// told nothing: it has ended or is about to, which is no end of any series.
func (r *slotReceiver) look() {
	m := r.slot.member.Load()
	if m == r.member {
		return
	}
	r.member, r.receiver = m, nil
	if m != nil && m.sink.Sources().Has(r.source) {
		r.receiver = m.sink.Receiver(r.node, r.source)
	}
	r.generation++
}

// Generation is series.Chooser's.
func (r *slotReceiver) Generation() uint64 {
	r.look()
	return r.generation
}

// Wants is series.Chooser's.
func (r *slotReceiver) Wants(string) bool { return r.receiver != nil }

// Open is series.Receiver's.
func (r *slotReceiver) Open(labels series.Labels, meta *series.Metadata) series.Handle {
	if r.receiver == nil {
		return 0
	}
	return r.receiver.Open(labels, meta)
}

// Commit is series.Receiver's.
func (r *slotReceiver) Commit(batch *series.Batch, gone []series.Handle) {
	if r.receiver != nil {
		r.receiver.Commit(batch, gone)
	}
}

// Failed is series.Receiver's.
func (r *slotReceiver) Failed(at storage.Millis) {
	if r.look(); r.receiver != nil {
		r.receiver.Failed(at)
	}
}

// End is series.Receiver's.
func (r *slotReceiver) End(at storage.Millis) {
	if r.receiver != nil && r.member == r.slot.member.Load() {
		r.receiver.End(at)
	}
	r.receiver = nil
}
