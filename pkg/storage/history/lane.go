// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"slices"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

const (
	// laneSeries is how many series a lane has at most, so that a block has room for
	// several answers of them.
	laneSeries = 1024
	// maxBlockBytes is the longest block. The cache takes no entry of 64 KiB or
	// more, and says nothing.
	maxBlockBytes = 60_000
	// minFullBytes and maxFullBytes are between which sizes a block is full once an
	// answer is complete, and fullBytes what each series adds to it: some ten
	// answers, so that few samples are the first of their block.
	minFullBytes, maxFullBytes, fullBytes = 4 << 10, 32 << 10, 24
	// chunkBytes is what the cache takes its memory in; no block is in two chunks.
	// Beside each are its key and four bytes.
	chunkBytes, besideBytes = 64 << 10, 12
	// maxGone is how many series that are gone a lane remembers at most.
	maxGone = 4 * laneSeries
)

// A lane is some series of a target, and their blocks.
type lane struct {
	// number is the lane's own: no other ever has it.
	number uint32
	// seq is the number of the open block, which is stream; from 1.
	seq    uint32
	stream stream
	// before is how long the stream was before the last answer.
	before int
	// blocks are those that were put into the cache, oldest first. The oldest is
	// still there, or was when the last one was put there.
	blocks []blockRef
	// entries are the series, by their numbers, of which each is used once. open is
	// how many are, the others are gone.
	entries []entry
	open    int
	nextID  uint32
}

// blockRef is a block in the cache.
type blockRef struct {
	seq         uint32
	first, last storage.Millis
}

// entry is what is known of a series.
type entry struct {
	// labels are as symbols encodes them, without those of the target.
	labels string
	// newest is the time of the last sample, seq the block that it is in. Both are
	// of series that are gone.
	newest storage.Millis
	seq    uint32
	id     uint32
	// name and namespace are the numbers of these strings, plus one; 0 is none.
	name, namespace uint32
	gone            bool
}

// entryBytes is about what an entry takes beside its strings.
const entryBytes = 56 + 48

// blockRefBytes is what a blockRef takes, slotBytes a slot.
const (
	blockRefBytes = 24
	slotBytes     = 48
)

func newLane(number uint32) *lane {
	l := &lane{number: number, seq: 1}
	l.stream.reset()
	return l
}

// find is the entry of a number; nil where it is forgotten.
func (l *lane) find(id uint32) *entry {
	i, ok := slices.BinarySearchFunc(l.entries, id, func(e entry, id uint32) int {
		return int(int64(e.id) - int64(id))
	})
	if !ok {
		return nil
	}
	return &l.entries[i]
}

// full says whether the open block is worth putting into the cache, and would not
// fit well with another answer like the last, of so many bytes.
func (l *lane) full(answer int) bool {
	aim := min(max(l.stream.locals*fullBytes, minFullBytes), maxFullBytes)
	// As many of them as fit into a chunk.
	aim = (chunkBytes-1)/(chunkBytes/aim) - besideBytes
	return len(l.stream.buf)+answer > aim
}

// oldest is the least number of a block that is still to be had.
func (l *lane) oldest() uint32 {
	if len(l.blocks) > 0 {
		return l.blocks[0].seq
	}
	return l.seq
}

// forget takes out the series that no block has anything of, and where too many are
// gone, the first of them. dropped is called with the labels of each.
func (l *lane) forget(dropped func(labels string)) {
	surplus := len(l.entries) - l.open - maxGone
	if len(l.entries) == l.open {
		return
	}
	oldest := l.oldest()
	kept := l.entries[:0]
	for _, e := range l.entries {
		if e.gone && (e.seq < oldest || surplus > 0) {
			surplus--
			dropped(e.labels)
			continue
		}
		kept = append(kept, e)
	}
	clear(l.entries[len(kept):])
	l.entries = kept
	if cap(kept) > 64 && len(kept) < cap(kept)/4 {
		l.entries = slices.Clone(kept)
	}
}

// since is the oldest time of which there is a sample; ok is false where there is
// none.
func (l *lane) since() (t storage.Millis, ok bool) {
	if len(l.blocks) > 0 {
		return l.blocks[0].first, true
	}
	return l.stream.first, l.stream.samples > 0
}
