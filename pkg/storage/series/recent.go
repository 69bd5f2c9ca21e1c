// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Recent keeps the newest samples of selected series, exactly as nodes gave them.
// It is a [Consumer]; while nothing is selected it takes nothing in.
//
// A sample whose time is that of the one before it is no new sample. One from
// before that is dropped, as is one that is more than two seconds ahead of our
// clock. A series that its node's answers lack ends with a stale marker at the time
// of the first such answer, which is what Prometheus does, and its samples stay for
// as long as they would have. If it comes back in that time, it goes on.
//
// All methods are safe for concurrent use. Select waits for nothing.
type Recent struct {
	options RecentOptions
	seed    maphash.Seed
	wanted  atomic.Pointer[wanted]
	index   index
	stats   recentStats
	// bytes is what all of it takes.
	bytes atomic.Int64
	// swept is when series that are gone were looked at last.
	swept   atomic.Int64
	answers answers

	mu struct {
		sync.Mutex
		// rings is all rings, by a hash of their labels.
		rings   map[uint64]*ring
		symbols symbols
		// gone is the rings of series that are gone, among some that came back.
		gone []*ring
		// last is the newest id, and missing how many series there was no room for,
		// the newest of them in the generation refused.
		last, refused uint64
		missing       int
	}
}

// ringBytes is about what a series takes beside its labels and points: the ring,
// its places in lists and maps, and its handle.
const ringBytes = 144 + 8 + 40 + 32

// sweepInterval is the time between two looks at series that are gone.
const sweepInterval = 10_000

// maxAhead is how far a sample may be ahead of our clock: clocks that differ by
// more are known to, and corrected for.
const maxAhead = 2000

// NewRecent is empty, and wants nothing.
func NewRecent(options RecentOptions) (*Recent, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	r := &Recent{options: options.withDefaults(), seed: maphash.MakeSeed()}
	r.mu.rings, r.mu.symbols = map[uint64]*ring{}, symbols{}
	r.wanted.Store(newWanted(1, nil))
	return r, nil
}

// Want says which series to keep from now on, whatever was selected before. Series
// that are not selected any more are dropped with their samples; what is new is
// there with the next answer of each node. It takes time in proportion to the
// series that are held.
func (r *Recent) Want(selectors []Selector) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := newWanted(r.wanted.Load().generation+1, selectors)
	r.wanted.Store(w)
	dirty := map[*list]bool{}
	for _, ring := range r.mu.rings {
		keep, ok := w.keep(ring.labels, ring.source)
		if ok {
			ring.keep.Store(int64(keep))
			continue
		}
		r.dropLocked(ring)
		dirty[ring.list] = true
	}
	r.sweepLocked(dirty)
}

// Sources is what series are selected of.
func (r *Recent) Sources() SourceSet { return r.wanted.Load().sources }

// Receiver is for one source of a node.
func (r *Recent) Receiver(node string, source Source) Receiver {
	return &recentReceiver{
		recent: r,
		source: source,
		target: TargetLabels(node, r.options.Instance(node), source),
		wanted: r.wanted.Load(),
		answer: r.answers.of(node, source),
	}
}

// dropLocked gives up a ring. Its list has to be swept.
func (r *Recent) dropLocked(ring *ring) {
	delete(r.mu.rings, ring.hash)
	ring.dropped = true
	freed := r.mu.symbols.drop(ring.labels) + ringBytes + ring.bytes.Swap(droppedBytes)
	r.bytes.Add(-freed)
	r.stats.series.Add(-1)
	ring.shorten(false)
}

// sweepLocked takes what was dropped out of lists, and has series looked for again
// for which there was no room, if there is some now.
func (r *Recent) sweepLocked(dirty map[*list]bool) {
	for list := range dirty {
		r.index.sweep(list)
	}
	r.mu.gone = compact(r.mu.gone)
	// Once for what was refused: some of it may be of nodes that do not answer.
	w := r.wanted.Load()
	if r.mu.missing > 0 && r.mu.refused == w.generation && r.bytes.Load() < r.options.MaxBytes*7/8 {
		again := *w
		again.generation++
		r.wanted.Store(&again)
	}
}

// compact is the rings that are gone and still held.
func compact(gone []*ring) []*ring {
	kept := gone[:0]
	for _, ring := range gone {
		if ring.owner == nil && !ring.dropped {
			kept = append(kept, ring)
		} else {
			ring.buried = false
		}
	}
	clear(gone[len(kept):])
	return kept
}

// sweep drops the series that have been gone for long enough, if it is time to
// look.
func (r *Recent) sweep(now storage.Millis) {
	last := r.swept.Load()
	if int64(now)-last < sweepInterval || !r.swept.CompareAndSwap(last, int64(now)) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	dirty := map[*list]bool{}
	for _, ring := range r.mu.gone {
		if ring.owner == nil && !ring.dropped && ring.ended+storage.Millis(ring.keep.Load()) < now {
			r.dropLocked(ring)
			dirty[ring.list] = true
		}
	}
	r.sweepLocked(dirty)
}

// addLocked is a new ring, nil where there is no room for it.
func (r *Recent) addLocked(labels Labels, hash uint64, source Source, list *list) *ring {
	held, bytes := r.mu.symbols.take(labels)
	if bytes += ringBytes; r.bytes.Load()+bytes+size(firstPoints) > r.options.MaxBytes {
		r.mu.symbols.drop(held)
		r.stats.refused.Add(1)
		return nil
	}
	r.mu.last++
	ring := &ring{id: r.mu.last, labels: held, source: source, hash: hash, list: list}
	ring.points.Store(newPoints(0, 0))
	ring.bytes.Store(size(firstPoints))
	r.mu.rings[hash] = ring
	r.bytes.Add(bytes + size(firstPoints))
	r.stats.series.Add(1)
	list.add(ring)
	return ring
}

// firstPoints is for how many samples a series gets room at first; that much is
// accounted for from the beginning.
const firstPoints = 4

// endLocked ends a series that is open.
func (r *Recent) endLocked(ring *ring, at storage.Millis) {
	ring.owner, ring.ended = nil, at
	if ring.dropped {
		return
	}
	if p := ring.points.Load(); p.n.Load() > 0 {
		r.append(ring, max(at, p.newest()+1), StaleMarker())
	}
	if !ring.buried {
		ring.buried = true
		r.mu.gone = append(r.mu.gone, ring)
	}
}

// append adds a sample to a ring. Only its owner calls it, or who ends it.
func (r *Recent) append(ring *ring, t storage.Millis, v float64) {
	p := ring.points.Load()
	n := int(p.n.Load())
	if n > 0 {
		if newest := p.newest(); t <= newest {
			if t < newest {
				r.stats.outOfOrder.Add(1)
			}
			return
		}
	}
	if n == len(p.times) || t-p.base > maxSpan {
		if p = r.grow(ring, p, t); p == nil {
			return
		}
	}
	p.append(t, v)
	r.stats.samples.Add(1)
}

// grow makes room in a ring for one more sample; nil is that the ring is not held
// any more. Where the bound does not allow more, the oldest samples make way.
func (r *Recent) grow(ring *ring, p *points, t storage.Millis) *points {
	since := t - storage.Millis(ring.keep.Load())
	had := size(max(firstPoints, len(p.times)))
	q := p.grown(since, t, 1<<30)
	more := size(len(q.times)) - had
	if more > 0 && r.bytes.Load()+more > r.options.MaxBytes && len(p.times) > 0 {
		q = p.grown(since, t, len(p.times))
		more = size(len(q.times)) - had
		ring.shorten(true)
	} else if q.base > p.base {
		ring.shorten(false)
	}
	if ring.bytes.Add(more) < 0 {
		return nil
	}
	r.bytes.Add(more)
	ring.points.Store(q)
	return q
}
