// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"io"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/internal/crew"
)

// aheadChunks is how many chunks of a list there are at once: one that is being
// written, and one that is being encoded, which is done before the other is. It is
// all the memory that a list takes while its client reads slowly.
const aheadChunks = 2

// ahead is Stream with encode in a goroutine of its own, so that the next chunks
// are encoded while one is encrypted, or compressed, and sent, which takes longer.
// Writing stays in the goroutine of the request, whose panics are the server's to
// handle. When ahead returns, encode has returned, too. The first skip chunks are
// left out.
func (p *Writer) ahead(w io.Writer, skip int, encode func(*Chunks)) error {
	r := &relay{skip: skip, full: make(chan []byte), free: make(chan []byte, aheadChunks), stopped: make(chan struct{})}
	for range aheadChunks - 1 {
		r.free <- p.longBuffer()
	}
	encoder := crew.Start(func() {
		defer close(r.full)
		out := p.longChunks(r.pass)
		encode(out)
		out.flush()
		p.keep(out.buf)
	})
	defer encoder.Wait()
	defer close(r.stopped) // also where w panics: the encoder must not wait for it

	for chunk := range r.full {
		if _, err := w.Write(chunk); err != nil {
			return err
		}
		r.free <- chunk
	}
	for len(r.free) > 0 {
		p.keep(<-r.free)
	}
	return nil
}

// relay is how chunks come from the encoder to the writer, and buffers back.
type relay struct {
	skip       int
	full, free chan []byte
	// stopped is closed once nobody takes chunks any more.
	stopped chan struct{}
}

// errStopped is that the writer stopped before the end; why, it says itself.
var errStopped = errors.New("nobody takes more of the list")

// pass hands a full buffer over and is the next one, or errStopped.
func (r *relay) pass(buf []byte) ([]byte, error) {
	if r.skip > 0 {
		r.skip--
		return buf[:0], nil
	}
	select {
	case r.full <- buf:
	case <-r.stopped:
		return nil, errStopped
	}
	select {
	case next := <-r.free:
		return next[:0], nil
	case <-r.stopped:
		return nil, errStopped
	}
}
