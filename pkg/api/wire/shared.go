// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"io"
	"sync"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/internal/crew"
)

// maxShared is how many bytes of a list are held for others that write it, too:
// all of 30,000 pods. What is beyond, each encodes for itself. There is one such
// body in a Writer at a time; it is gone when the last has written it.
const maxShared = 16 << 20

// Shared is where those that write one and the same list at the same time share
// what is encoded of it. The zero Shared is ready. It must not be used for
// different lists.
type Shared struct {
	mu     sync.Mutex
	bodies map[sharedKey]*body // those that are being written
}

// sharedKey is what the bytes of a list depend on beside the list.
type sharedKey struct {
	encoding Encoding
	version  string
}

// body is a list as far as it is encoded. Its encoder waits for nobody; who
// writes it waits for the encoder.
type body struct {
	mu sync.Mutex
	// grown is told of each chunk and of the end.
	grown *sync.Cond
	// chunks are never written again.
	chunks [][]byte
	size   int
	// state is how it ended, if it did.
	state bodyState
	// writers is how many write it; Shared.mu guards it.
	writers int
}

type bodyState int

const (
	bodyGrows bodyState = iota
	// bodyWhole: there are no more chunks.
	bodyWhole
	// bodyCut: there are more chunks than may be held.
	bodyCut
	// bodyFailed: its encoder panicked.
	bodyFailed
)

// join is the body to write, and whether the caller must encode it; nil where
// there is to be none.
func (s *Shared) join(p *Writer, key sharedKey) (b *body, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b = s.bodies[key]; b == nil {
		if !p.sharing.TryLock() { // leave unlocks it
			return nil, false
		}
		b, first = &body{}, true
		b.grown = sync.NewCond(&b.mu)
		if s.bodies == nil {
			s.bodies = map[sharedKey]*body{}
		}
		s.bodies[key] = b
	}
	b.writers++
	return b, first
}

// leave is called by each that joined, when it has written what it will. The last
// gives the chunks back; who comes then makes a new body.
func (s *Shared) leave(p *Writer, key sharedKey, b *body) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.writers--; b.writers > 0 {
		return
	}
	delete(s.bodies, key)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, chunk := range b.chunks {
		p.keep(chunk)
	}
	b.chunks = nil
	p.sharing.Unlock()
}

// share writes list as others do that have the same Shared: what one has encoded,
// the others write, too.
func (p *Writer) share(w io.Writer, key sharedKey, list *List, encode func(*Chunks)) error {
	b, first := list.Shared.join(p, key)
	if b == nil {
		return p.ahead(w, 0, encode)
	}
	defer list.Shared.leave(p, key, b)
	if first {
		encoder := crew.Start(func() { b.encode(p, encode) })
		defer encoder.Wait() // before the chunks are given back
	}
	for i := 0; ; i++ {
		chunk, state := b.chunk(i)
		switch {
		case chunk != nil:
			if _, err := w.Write(chunk); err != nil {
				return err
			}
		case state == bodyCut:
			return p.ahead(w, i, encode)
		case state == bodyFailed && !first: // the first panics with what it was
			panic("BUG: a list was not encoded to its end")
		default:
			return nil
		}
	}
}

// encode makes the body.
func (b *body) encode(p *Writer, encode func(*Chunks)) {
	state := bodyFailed
	defer func() { b.end(state) }()
	out := p.longChunks(func(full []byte) ([]byte, error) {
		if !b.add(full) {
			return nil, errStopped
		}
		return p.longBuffer(), nil
	})
	encode(out)
	out.flush()
	p.keep(out.buf)
	if state = bodyWhole; out.err != nil {
		state = bodyCut
	}
}

// add adds a chunk, and is false where it is the last that there is room for.
func (b *body) add(chunk []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.chunks = append(b.chunks, chunk)
	b.size += cap(chunk)
	b.grown.Broadcast()
	return b.size+longBufferSize <= maxShared
}

func (b *body) end(state bodyState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state = state
	b.grown.Broadcast()
}

// chunk is chunk i; nil where there is none, and why.
func (b *body) chunk(i int) ([]byte, bodyState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i >= len(b.chunks) && b.state == bodyGrows {
		b.grown.Wait()
	}
	if i < len(b.chunks) {
		return b.chunks[i], b.state
	}
	return nil, b.state
}
