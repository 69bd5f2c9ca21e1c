// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"io"
	"sync"
)

// frameSize is what HTTP/2 sends at a time. Chunks are whole frames: each write
// that is not ends in a frame more, with a record of TLS and a system call.
const frameSize = 16 << 10

// chunkSize is how large chunks are. From 128 KiB on the generic server compresses
// an answer, and it goes by the first write alone: where there are more bytes, more
// than that must be in the first write.
const chunkSize = 9 * frameSize

// longChunkSize is how large those of a list of several runs are, but for the
// first, for which a client waits. Each write is handed to the goroutine of the
// connection and waited for, some 35 us: with chunks of chunkSize that was an eighth
// of the time of a list of 30,000 pods.
const longChunkSize = 27 * frameSize

// The buffers have room for the item that makes a chunk full; one that a huge
// item made grow to twice its size is not kept.
const (
	bufferRoom     = 8 << 10
	bufferSize     = chunkSize + bufferRoom
	longBufferSize = longChunkSize + bufferRoom
)

// Writer writes lists. It keeps a few buffers for those that come. The zero
// Writer is ready, and may be used concurrently.
type Writer struct {
	buffers, longBuffers sync.Pool // of *[]byte
	// sharing is held by the one body that is shared.
	sharing sync.Mutex
}

// Write writes list to w. The only errors are those of w. What is shared, share
// does; a list of several runs is encoded ahead of w, see ahead; any other, as
// nearly all are, is encoded and written in turn.
func (p *Writer) Write(w io.Writer, list *List, encoding Encoding) error {
	encode := func(out *Chunks) {
		switch encoding {
		case JSON:
			writeJSON(out, list)
		case Protobuf:
			writeProtobuf(out, list)
		default:
			panic("BUG: no such encoding")
		}
	}
	switch {
	case list.Shared != nil:
		return p.share(w, sharedKey{encoding, list.Version}, list, encode)
	case len(list.Runs) > 1:
		return p.ahead(w, 0, encode)
	default:
		return p.Stream(w, encode)
	}
}

// Stream writes to w what encode puts into the Chunks, which encode does not
// keep. The only errors are those of w.
func (p *Writer) Stream(w io.Writer, encode func(*Chunks)) error {
	out := &Chunks{w: w, buf: p.buffer(), limit: chunkSize, size: chunkSize}
	encode(out)
	out.flush()
	p.keep(out.buf)
	return out.err
}

// buffer is an empty buffer for chunks of chunkSize.
func (p *Writer) buffer() []byte {
	if kept, ok := p.buffers.Get().(*[]byte); ok {
		return (*kept)[:0]
	}
	return make([]byte, 0, bufferSize)
}

// longBuffer is an empty buffer for chunks of longChunkSize.
func (p *Writer) longBuffer() []byte {
	if kept, ok := p.longBuffers.Get().(*[]byte); ok {
		return (*kept)[:0]
	}
	return make([]byte, 0, longBufferSize)
}

// keep takes a buffer back.
func (p *Writer) keep(buf []byte) {
	switch size := cap(buf); {
	case size >= bufferSize && size < 2*bufferSize:
		p.buffers.Put(&buf)
	case size >= longBufferSize && size < 2*longBufferSize:
		p.longBuffers.Put(&buf)
	}
}

// longChunks gathers the chunks of a list of several runs for next, which takes
// them. Where they end depends on the list alone.
func (p *Writer) longChunks(next func(full []byte) ([]byte, error)) *Chunks {
	return &Chunks{next: next, buf: p.longBuffer(), limit: chunkSize, size: longChunkSize}
}

// Chunks gathers what is encoded and writes it in chunks. It is not for
// concurrent use.
type Chunks struct {
	// w is what chunks are written to; where it is nil, next takes them, and gives
	// the next buffer.
	w    io.Writer
	next func(full []byte) ([]byte, error)
	// buf is appended to, and given to Put then.
	buf []byte
	// limit is how large the next chunk is at least, size how large those after it.
	limit, size int
	// err is the first error of w, after which nothing is written.
	err error
}

// Buffer is what to append to; Put takes it back. What is in it already belongs
// to the Chunks.
func (c *Chunks) Buffer() []byte { return c.buf }

// Put takes back the Buffer, appended to, writes what is full of it, and says
// whether to go on.
func (c *Chunks) Put(buf []byte) bool {
	c.buf = buf
	if len(buf) >= c.limit {
		c.write(len(buf) / frameSize * frameSize)
		c.limit = c.size
	}
	return c.err == nil
}

// flush writes what is left.
func (c *Chunks) flush() {
	if len(c.buf) > 0 {
		c.write(len(c.buf))
	}
}

// write writes the first n bytes, and keeps the others.
func (c *Chunks) write(n int) {
	full, rest := c.buf[:n], c.buf[n:]
	c.buf = c.buf[:0]
	switch {
	case c.err != nil:
	case c.next != nil:
		// The rest stays as it is until the next call: nobody else writes buffers.
		c.buf, c.err = c.next(full)
	default:
		_, c.err = c.w.Write(full)
	}
	c.buf = append(c.buf, rest...)
}
