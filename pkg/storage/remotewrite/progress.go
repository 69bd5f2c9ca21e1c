// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package remotewrite

import (
	"sync"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// A progress is how far a sink has come: which times are in the queue up to which
// number.
type progress struct {
	mu sync.Mutex
	// points have rising numbers and times.
	points []progressPoint
	// inherited is what the replica before us had delivered.
	inherited Mark
}

// A progressPoint says that what was sent to us by a time is in the queue by a
// number.
type progressPoint struct {
	seq uint64
	at  storage.Millis
}

// maxPoints bounds how many are kept: where deliveries are far behind, every second
// one will do.
const maxPoints = 128

// note takes down one.
func (p *progress) note(seq uint64, at storage.Millis) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.points); n > 0 {
		switch last := &p.points[n-1]; {
		case at <= last.at:
			return
		case seq == last.seq:
			last.at = at
			return
		}
	}
	if len(p.points) == maxPoints {
		kept := p.points[:0]
		for i := 1; i < maxPoints; i += 2 {
			kept = append(kept, p.points[i])
		}
		p.points = kept
	}
	p.points = append(p.points, progressPoint{seq, at})
}

// delivered is the time up to which all is done with, where that is all numbers up
// to done.
func (p *progress) delivered(done uint64) storage.Millis {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.points) && p.points[n].seq <= done {
		n++
	}
	if n == 0 {
		return p.inherited.Delivered
	}
	p.points = append(p.points[:0], p.points[n-1:]...)
	return max(p.points[0].at, p.inherited.Delivered)
}

// inherit takes over from another replica, of whose deliveries the points from
// before know nothing.
func (p *progress) inherit(m *Mark) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inherited, p.points = *m, nil
}

// raise goes on from a mark of our own, which a process before this one may have
// left.
func (p *progress) raise(m *Mark) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inherited.Delivered = max(p.inherited.Delivered, m.Delivered)
	p.inherited.Newest = max(p.inherited.Newest, m.Newest)
}

// inheritedNewest is the newest sample that the replica before us has delivered.
func (p *progress) inheritedNewest() storage.Millis {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inherited.Newest
}
