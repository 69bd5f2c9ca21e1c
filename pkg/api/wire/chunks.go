// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"io"
	"sync"
)

// chunkSize is from how many bytes on a chunk is written. It is also from where
// on the generic server compresses an answer, and it goes by the first write
// alone: where there are more bytes, more than that must be in the first write.
const chunkSize = 128 << 10

// The buffers have room for the item that makes a chunk full; one that a huge
// item made grow beyond maxPooled is not kept.
const (
	bufferSize = chunkSize + 8<<10
	maxPooled  = 2 * bufferSize
)

// Writer writes lists. It keeps a few buffers for those that come. The zero
// Writer is ready, and may be used concurrently.
type Writer struct {
	buffers sync.Pool // of *Chunks
}

// Write writes list to w. The only errors are those of w.
func (p *Writer) Write(w io.Writer, list *List, encoding Encoding) error {
	return p.Stream(w, func(out *Chunks) {
		switch encoding {
		case JSON:
			writeJSON(out, list)
		case Protobuf:
			writeProtobuf(out, list)
		default:
			panic("BUG: no such encoding")
		}
	})
}

// Stream writes to w what encode puts into the Chunks, which encode does not
// keep. The only errors are those of w.
func (p *Writer) Stream(w io.Writer, encode func(*Chunks)) error {
	out, ok := p.buffers.Get().(*Chunks)
	if !ok {
		out = &Chunks{buf: make([]byte, 0, bufferSize)}
	}
	out.w = w
	encode(out)
	out.flush()
	err := out.err
	if cap(out.buf) <= maxPooled {
		*out = Chunks{buf: out.buf[:0]}
		p.buffers.Put(out)
	}
	return err
}

// Chunks gathers what is encoded and writes it in chunks. It is not for
// concurrent use.
type Chunks struct {
	w io.Writer
	// buf is appended to, and given to Put then.
	buf []byte
	// err is the first error of w, after which nothing is written.
	err error
}

// Buffer is what to append to; Put takes it back. What is in it already belongs
// to the Chunks.
func (c *Chunks) Buffer() []byte { return c.buf }

// Put takes back the Buffer, appended to, writes it where it is full, and says
// whether to go on.
func (c *Chunks) Put(buf []byte) bool {
	c.buf = buf
	if len(buf) > chunkSize {
		c.flush()
	}
	return c.err == nil
}

func (c *Chunks) flush() {
	if c.err == nil && len(c.buf) > 0 {
		_, c.err = c.w.Write(c.buf)
	}
	c.buf = c.buf[:0]
}
