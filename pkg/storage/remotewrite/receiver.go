// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package remotewrite

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// A block is what one call of a receiver has to ship.
type block struct {
	// refs, times and values are parallel; times are by our clock where the node's
	// is off.
	refs   []uint32
	times  []storage.Millis
	values []float64
	// gone are series that end at the time at.
	gone []uint32
	at   storage.Millis
	// received is when it was received, by our clock; the request was sent at the
	// time at.
	received storage.Millis
	// from is whose it is.
	from *receiver
	// silent: what is gone ends without a marker, because another replica ships.
	silent bool
	// skip: another replica has shipped it, or may have. What is in it is known to
	// the receiver then, and the end of that is to be told.
	skip bool
}

// size is how many bytes it takes.
func (b *block) size() int64 {
	return 4*int64(cap(b.refs)+cap(b.gone)) + 8*int64(cap(b.times)+cap(b.values))
}

func (b *block) reset() {
	b.refs, b.times, b.values, b.gone = b.refs[:0], b.times[:0], b.values[:0], b.gone[:0]
	b.silent, b.skip, b.from = false, false, nil
}

func (b *block) add(ref uint32, t storage.Millis, v float64) {
	b.refs, b.times, b.values = append(b.refs, ref), append(b.times, t), append(b.values, v)
}

// An intake is where receivers leave blocks and the batcher takes them. It waits
// for nobody: when it is full, the oldest block goes.
type intake struct {
	most    int
	standby storage.Millis
	// mostBytes is how much a paused sink keeps.
	mostBytes int64
	wake      chan struct{}

	mu struct {
		sync.Mutex
		blocks []*block
		free   []*block
		// gone is what ended in blocks that went: the batcher has yet to know.
		gone    []uint32
		samples int
		bytes   int64
		overrun int64
		paused  bool
		closed  bool
		// kept is when an answer was sent at the latest that is not kept any more
		// because the sink was paused, or when there was no sink yet.
		kept storage.Millis
	}
}

// maxFree is how many blocks are kept to be used again.
const maxFree = 16

func newIntake(o *Options) *intake {
	i := &intake{most: o.MaxPending, standby: storage.MillisIn(o.Standby), mostBytes: o.StandbyBytes, wake: make(chan struct{}, 1)}
	i.mu.paused, i.mu.kept = o.Elected, storage.MillisOf(time.Now())
	return i
}

// block is an empty block.
func (i *intake) block() *block {
	i.mu.Lock()
	defer i.mu.Unlock()
	if n := len(i.mu.free); n > 0 {
		b := i.mu.free[n-1]
		i.mu.free = i.mu.free[:n-1]
		return b
	}
	return &block{}
}

// put leaves a block.
func (i *intake) put(b *block) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.mu.closed {
		return
	}
	i.mu.blocks = append(i.mu.blocks, b)
	i.mu.samples += len(b.refs)
	i.mu.bytes += b.size()
	drop := 0
	for drop < len(i.mu.blocks)-1 {
		oldest := i.mu.blocks[drop]
		if i.mu.paused {
			// Nothing is lost with what goes where another replica ships it.
			if oldest.received >= b.received-i.standby && i.mu.bytes <= i.mostBytes && i.mu.samples <= i.most {
				break
			}
			i.mu.kept = max(i.mu.kept, oldest.at)
		} else {
			if i.mu.samples <= i.most {
				break
			}
			i.mu.overrun += int64(len(oldest.refs))
		}
		i.discardLocked(oldest)
		drop++
	}
	i.mu.blocks = slices.Delete(i.mu.blocks, 0, drop)
	i.signal()
}

// discardLocked gives up a block.
func (i *intake) discardLocked(b *block) {
	i.mu.samples -= len(b.refs)
	i.mu.bytes -= b.size()
	i.mu.gone = append(i.mu.gone, b.gone...)
	i.freeLocked(b)
}

func (i *intake) signal() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// take is the oldest block; nil where there is none. While the sink is paused, only
// what ends is told.
func (i *intake) take() *block {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.mu.gone) > 0 {
		b := &block{gone: i.mu.gone, silent: true}
		i.mu.gone = nil
		return b
	}
	if i.mu.paused || len(i.mu.blocks) == 0 {
		return nil
	}
	b := i.mu.blocks[0]
	i.mu.blocks[0] = nil
	i.mu.blocks = i.mu.blocks[1:]
	return b
}

// done gives a block back that was taken. Until then its samples are counted here.
func (i *intake) done(b *block) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mu.samples -= len(b.refs)
	i.mu.bytes -= b.size()
	i.freeLocked(b)
}

func (i *intake) freeLocked(b *block) {
	b.reset()
	if len(i.mu.free) < maxFree {
		i.mu.free = append(i.mu.free, b)
	}
}

// pause lets blocks wait, of which only the last minute's are kept.
func (i *intake) pause() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mu.paused = true
}

// A resumption says what of the blocks that waited is shipped.
type resumption struct {
	// limits are when the newest block of a receiver was sent that is not shipped,
	// and when the newest one was of which is known that somebody else has; always
	// is that all of that is known.
	limits func(*receiver) (cut, known storage.Millis)
	// most is the cut of receivers of which nothing else is known.
	most storage.Millis
	// fence is up to when somebody else may have shipped, or may have what will be.
	fence storage.Millis
	// needed is when the newest answer was sent without which nothing is missing; 0
	// is that nothing is missed.
	needed storage.Millis

	// skipped and overlapped are the samples that nobody may have shipped, and
	// those that two may have. gap is the time of which nothing was kept.
	skipped, overlapped int64
	gap                 storage.Millis
}

// resume goes on with what waits, and counts.
func (i *intake) resume(r *resumption) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mu.paused = false
	if r.needed != 0 {
		r.gap = max(0, i.mu.kept-r.needed)
	}
	for _, b := range i.mu.blocks {
		cut, known := r.limits(b.from)
		switch n := int64(len(b.refs)); {
		case b.at <= cut:
			b.skip = true
			b.silent = b.at <= known
			if !b.silent {
				r.skipped += n
				// Whatever the other one has said of it was before.
				b.at = cut + 1
			}
		case known != always && b.at <= r.fence:
			r.overlapped += n
		}
	}
	i.signal()
}

// close refuses whatever comes from now on.
func (i *intake) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mu.closed = true
}

// A receiver is one source of one node.
type receiver struct {
	sink   *Sink
	node   string
	source series.Source
	target series.Labels
	// claims is target for the volumes of claims, which are in summaries only.
	claims series.Labels
	// up and duration are series of our own; 0 where they are not wanted.
	up, duration series.Handle
	// last is the refs of the newest answer: all that are open, but our own.
	last []uint32
	// offset is what is added to the node's times.
	offset storage.Millis
	// accepted is when the newest answer was sent that the batcher has had.
	accepted atomic.Int64
}

// block is an empty block of an answer.
func (r *receiver) block(sent, received storage.Millis) *block {
	b := r.sink.intake.block()
	b.from, b.at, b.received = r, sent, received
	return b
}

// Open is series.Receiver's.
func (r *receiver) Open(labels series.Labels, meta *series.Metadata) series.Handle {
	return r.sink.open(r, labels, meta)
}

// clockTolerance is how far a node's clock may be off for its times to be shipped
// as they are: what we know of it is whole seconds. And by how much what we know
// has to change before it is believed.
const clockTolerance = 2000

// Commit is series.Receiver's.
func (r *receiver) Commit(batch *series.Batch, gone []series.Handle) {
	if d := batch.Offset - r.offset; d > clockTolerance || d < -clockTolerance {
		r.offset = batch.Offset
	}
	if r.offset <= clockTolerance && r.offset >= -clockTolerance {
		r.offset = 0
	}
	b := r.block(batch.Sent, batch.Received)
	for i, h := range batch.Handles {
		b.add(uint32(h), batch.Times[i]+r.offset, batch.Values[i])
	}
	r.last = append(r.last[:0], b.refs...)
	for _, h := range gone {
		if h != 0 {
			b.gone = append(b.gone, uint32(h))
		}
	}
	r.own(b, batch.Sent, 1)
	if r.duration != 0 {
		b.add(uint32(r.duration), batch.Sent, (batch.Received - batch.Sent).Duration().Seconds())
	}
	r.sink.intake.put(b)
}

// own adds whether the source could be read.
func (r *receiver) own(b *block, at storage.Millis, up float64) {
	if r.up != 0 {
		b.add(uint32(r.up), at, up)
	}
}

// Failed is series.Receiver's.
func (r *receiver) Failed(at storage.Millis) {
	b := r.block(at, at)
	r.own(b, at, 0)
	r.sink.intake.put(b)
}

// End is series.Receiver's.
func (r *receiver) End(at storage.Millis) {
	b := r.block(at, at)
	b.gone = append(b.gone, r.last...)
	for _, own := range []series.Handle{r.up, r.duration} {
		if own != 0 {
			b.gone = append(b.gone, uint32(own))
		}
	}
	r.last = nil
	r.sink.intake.put(b)
	r.sink.receivers.remove(r)
}

// receivers are those that are open.
type receivers struct {
	sync.Mutex
	all map[*receiver]struct{}
}

func (r *receivers) add(one *receiver) {
	r.Lock()
	defer r.Unlock()
	r.all[one] = struct{}{}
}

func (r *receivers) remove(one *receiver) {
	r.Lock()
	defer r.Unlock()
	delete(r.all, one)
}
