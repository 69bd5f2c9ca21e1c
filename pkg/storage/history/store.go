// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/VictoriaMetrics/fastcache"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// MinBytes is the least memory for a history: the cache takes its memory in chunks
// of 64 KiB, and has 512 parts.
const MinBytes = 32 << 20

// maxBytes is the most: more than any machine has, and what the cache can count.
const maxBytes = 1 << 48

// Options of a Store.
type Options struct {
	// Instance is the address and port of a node's kubelet, for the label instance;
	// see series.RecentOptions.
	Instance func(node string) string
}

// Store keeps the samples of whole targets. It is a [series.Consumer]. A new one
// keeps nothing: see [Store.Keep].
//
// All methods are safe for concurrent use. Select holds up no commit for longer
// than it takes to copy an open block.
type Store struct {
	options Options
	// generation changes with what is kept. sources is a series.SourceSet.
	generation atomic.Uint64
	sources    atomic.Uint32
	nextLane   atomic.Uint32
	swept      atomic.Int64
	// first is when the first answer came since anything is kept; 0 is not yet.
	first atomic.Int64
	stats storeStats

	// mu guards which targets there are. A target's lock is taken after it.
	mu struct {
		sync.Mutex
		keep    Keep
		shed    bool
		targets map[targetKey]*target
		// former are targets that another of the same key has followed.
		former  []*target
		symbols *symbols
	}

	// cache is read-locked for each use, so that nobody uses it while its memory is
	// given back. It is taken after all other locks.
	cache struct {
		sync.RWMutex
		blocks *fastcache.Cache // nil while nothing is kept.
	}
}

type targetKey struct {
	node   string
	source series.Source
}

// Keep is what a store keeps.
type Keep struct {
	// MaxBytes is the memory for blocks, from MinBytes; 0 is to keep nothing. Of it
	// whole multiples of MinBytes are used.
	MaxBytes int64
	// Sources are of which sources series are kept.
	Sources series.SourceSet
}

// Validate says what is wrong with it.
func (k Keep) Validate() error {
	if k.MaxBytes != 0 && (k.MaxBytes < MinBytes || k.MaxBytes > maxBytes) {
		return fmt.Errorf("%d bytes of history: must be 0, which is none, or at least %d (32Mi)", k.MaxBytes, MinBytes)
	}
	return nil
}

// New is a store that keeps nothing yet.
func New(options Options) *Store {
	if options.Instance == nil {
		options.Instance = func(string) string { return "" }
	}
	s := &Store{options: options}
	s.generation.Store(1)
	s.clearLocked() // Nobody else has it.
	return s
}

// Keep says what to keep from now on. Another MaxBytes than before gives up all
// that is kept.
func (s *Store) Keep(keep Keep) error {
	if err := keep.Validate(); err != nil {
		return err
	}
	keep.MaxBytes -= keep.MaxBytes % MinBytes // The cache would round up.
	if keep.Sources == 0 {
		keep.MaxBytes = 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if keep == s.mu.keep {
		return nil
	}
	anew := keep.MaxBytes != s.mu.keep.MaxBytes
	s.mu.keep = keep
	if anew {
		s.mu.shed = false
		s.renewLocked()
	}
	s.applyLocked()
	return nil
}

// Shed gives up all that is kept, and keeps nothing until Resume. It returns how
// many bytes were given back to the system at once; more follow as Go finds
// garbage.
func (s *Store) Shed() (released int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.shed || s.mu.keep.MaxBytes == 0 {
		return 0
	}
	s.mu.shed = true
	released = s.renewLocked()
	s.applyLocked()
	s.stats.sheds.Add(1)
	return released
}

// Resume begins to keep again after Shed.
func (s *Store) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mu.shed {
		return
	}
	s.mu.shed = false
	s.renewLocked()
	s.applyLocked()
}

// Room is how much memory is to be kept in, also while it is shed.
func (s *Store) Room() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.keep.MaxBytes
}

// Bytes is how much memory blocks take at the moment, outside of Go's heap.
func (s *Store) Bytes() int64 {
	s.cache.RLock()
	defer s.cache.RUnlock()
	if s.cache.blocks == nil {
		return 0
	}
	var c fastcache.Stats
	s.cache.blocks.UpdateStats(&c)
	return int64(c.BytesSize)
}

// Pending is how much more memory blocks will take there once those that are open are
// full, which those that were opened at the same time are at the same time. It takes
// time in proportion to the targets.
func (s *Store) Pending() (bytes int64) {
	for _, t := range s.all() {
		t.mu.Lock()
		if !t.mu.ended {
			for _, l := range t.mu.lanes {
				bytes += int64(len(l.stream.buf))
			}
		}
		t.mu.Unlock()
	}
	return max(0, min(bytes, s.Room()-s.Bytes()))
}

// IsShed says whether nothing is kept since Shed.
func (s *Store) IsShed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.shed
}

// applyLocked lets receivers know what is kept.
func (s *Store) applyLocked() {
	var sources series.SourceSet
	if s.mu.keep.MaxBytes > 0 && !s.mu.shed {
		sources = s.mu.keep.Sources
	}
	s.sources.Store(uint32(sources))
	s.generation.Add(1)
}

// renewLocked gives up all that is kept, and makes room for what keep says.
func (s *Store) renewLocked() (released int64) {
	s.clearLocked()
	s.cache.Lock()
	defer s.cache.Unlock()
	if s.cache.blocks != nil {
		released = release(s.cache.blocks)
		s.cache.blocks.Reset()
		s.cache.blocks = nil
	}
	if s.mu.keep.MaxBytes > 0 && !s.mu.shed {
		s.cache.blocks = fastcache.New(int(s.mu.keep.MaxBytes))
	}
	return released
}

func (s *Store) clearLocked() {
	s.first.Store(0)
	s.mu.targets, s.mu.former = map[targetKey]*target{}, nil
	s.mu.symbols = newSymbols()
}

// Sources is what is kept.
func (s *Store) Sources() series.SourceSet { return series.SourceSet(s.sources.Load()) }

// Receiver is for one source of a node. It is a [series.Chooser].
func (s *Store) Receiver(node string, source series.Source) series.Receiver {
	r := &receiver{store: s, node: node, source: source}
	r.Generation()
	return r
}

// target is the target of a source of a node, nil where it is not kept.
func (s *Store) target(node string, source series.Source) *target {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.Sources().Has(source) {
		return nil
	}
	key := targetKey{node, source}
	was := s.mu.targets[key]
	if was != nil && was.adopt() {
		return was
	}
	if was != nil {
		s.mu.former = append(s.mu.former, was)
	}
	t := &target{store: s, source: source, symbols: s.mu.symbols, labels: series.TargetLabels(node, s.options.Instance(node), source)}
	t.mu.gone = map[string]place{}
	t.held = t.symbols.take(t.labels)
	s.mu.targets[key] = t
	return t
}

// all is all targets.
func (s *Store) all() []*target {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*target, 0, len(s.mu.targets)+len(s.mu.former))
	for _, t := range s.mu.targets {
		all = append(all, t)
	}
	return append(all, s.mu.former...)
}

// sweepInterval is the time between two looks at targets that have ended.
const sweepInterval = 60_000

// sweep forgets the targets that have ended and of which nothing is left, if it is
// time to look.
func (s *Store) sweep(now storage.Millis) {
	last := s.swept.Load()
	if int64(now)-last < sweepInterval || !s.swept.CompareAndSwap(last, int64(now)) {
		return
	}
	over := map[*target]bool{}
	for _, t := range s.all() {
		if t.over() {
			over[t] = true
		}
	}
	if len(over) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, t := range s.mu.targets {
		if over[t] && t.over() { // It may have been adopted by now.
			t.drop()
			delete(s.mu.targets, key)
		}
	}
	kept := s.mu.former[:0]
	for _, t := range s.mu.former {
		if over[t] {
			t.drop()
		} else {
			kept = append(kept, t)
		}
	}
	clear(s.mu.former[len(kept):])
	s.mu.former = kept
}

// blockKey is the key of a block in the cache.
func blockKey(lane, seq uint32) (key [8]byte) {
	binary.LittleEndian.PutUint32(key[:], lane)
	binary.LittleEndian.PutUint32(key[4:], seq)
	return key
}

// put stores a block, in place of the oldest.
func (s *Store) put(lane, seq uint32, block []byte) {
	key := blockKey(lane, seq)
	s.cache.RLock()
	defer s.cache.RUnlock()
	if s.cache.blocks != nil {
		s.cache.blocks.Set(key[:], block)
		s.stats.blocks.Add(1)
		s.stats.written.Add(uint64(len(block)))
	}
}

// has says whether a block is there.
func (s *Store) has(lane, seq uint32) bool {
	key := blockKey(lane, seq)
	s.cache.RLock()
	defer s.cache.RUnlock()
	return s.cache.blocks != nil && s.cache.blocks.Has(key[:])
}

// get appends a block to dst.
func (s *Store) get(dst []byte, lane, seq uint32) ([]byte, bool) {
	key := blockKey(lane, seq)
	s.cache.RLock()
	defer s.cache.RUnlock()
	if s.cache.blocks == nil {
		return dst, false
	}
	return s.cache.blocks.HasGet(dst, key[:])
}
