// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A body is read into a chunk of a pool that is as long as the node's last body,
// so that usually one is enough. What is longer gets further chunks, all of one
// size, and is put together when it is complete. So nothing is ever copied from
// a buffer into a larger one, and bodies without end use the same few chunks
// over and over and leave no garbage.
const (
	minChunk    = 32 << 10
	maxChunk    = 1 << 20
	moreChunk   = 64 << 10
	chunkSizes  = 6 // minChunk << 0 … minChunk << 5
	maxStatusIn = 4 << 10
)

// bodies reads bodies within the bounds of the options.
type bodies struct {
	options *Options
	budget  *budget
	counts  *counts
	chunks  [chunkSizes]sync.Pool // of *[]byte with cap minChunk << i
	gzip    sync.Pool             // of *gzip.Reader
}

// chunkSize is the least size of a chunk that holds n bytes, and its pool.
func chunkSize(n int) (size, pool int) {
	size = minChunk
	for size < n && size < maxChunk {
		size <<= 1
		pool++
	}
	return size, pool
}

// body is what was read of one answer.
type body struct {
	bodies *bodies
	call   *call // while it is read
	share  *share
	chunks []*[]byte
	first  [1]*[]byte // where chunks begins
	whole  []byte
}

// add takes one more chunk for at least n bytes.
func (b *body) add(n int) error {
	size, pool := chunkSize(n)
	if err := b.call.grow(b.share, int64(size)); err != nil {
		return err
	}
	chunk, ok := b.bodies.chunks[pool].Get().(*[]byte)
	if !ok {
		chunk = new(make([]byte, 0, size))
	}
	b.chunks = append(b.chunks, chunk)
	return nil
}

// drop gives the first chunk back.
func (b *body) drop() {
	chunk := b.chunks[0]
	size, pool := chunkSize(cap(*chunk))
	*chunk = (*chunk)[:0]
	b.bodies.chunks[pool].Put(chunk)
	b.chunks = b.chunks[1:]
	b.share.shrink(int64(size))
}

// release gives everything back; whole must not be used any more.
func (b *body) release() {
	for len(b.chunks) > 0 {
		b.drop()
	}
	b.whole = nil
	b.share.close()
}

// read reads r to its end into whole. hint is how long it may be.
func (b *body) read(r io.Reader, hint int) error {
	limit := int(b.bodies.options.MaxBodyBytes)
	if err := b.add(hint); err != nil {
		return err
	}
	total := 0
	for {
		last := b.chunks[len(b.chunks)-1]
		if len(*last) == cap(*last) {
			if err := b.add(moreChunk); err != nil {
				return err
			}
			last = b.chunks[len(b.chunks)-1]
		}
		n, err := r.Read((*last)[len(*last):cap(*last)])
		*last = (*last)[:len(*last)+n]
		total += n
		switch {
		case total > limit:
			return errBodyTooLarge
		case err == io.EOF:
			return b.join(total)
		case err != nil:
			return err
		}
	}
}

// join makes the chunks one.
func (b *body) join(total int) error {
	parts := len(b.chunks)
	if parts == 1 {
		b.whole = *b.chunks[0]
		return nil
	}
	if total <= maxChunk {
		if err := b.add(total); err != nil {
			return err
		}
		b.whole = *b.chunks[parts]
	} else {
		if err := b.call.grow(b.share, int64(total)); err != nil {
			return err
		}
		b.whole = make([]byte, 0, total)
	}
	for range parts {
		b.whole = append(b.whole, *b.chunks[0]...)
		b.drop()
	}
	return nil
}

var (
	errBodyTooLarge       = errors.New("body is larger than the bound")
	errCompressedTooLarge = errors.New("compressed body is larger than the bound")
)

// read reads the body of a good answer into b, which the caller releases if
// there is no error. hint is how long it may be.
func (bs *bodies) read(c *call, r reply, hint int, b *body) error {
	b.bodies, b.call, b.share = bs, c, bs.budget.open(c.yield)
	b.chunks = b.first[:0]
	err := bs.decode(r, hint, b)
	b.call = nil
	if err != nil {
		b.release()
		return bs.classify(c, err)
	}
	return nil
}

func (bs *bodies) decode(r reply, hint int, b *body) error {
	switch r.encoding {
	case "", "identity":
		if r.length > bs.options.MaxBodyBytes {
			return errBodyTooLarge
		}
		return b.read(r.body, hint)
	case "gzip":
		if r.length > bs.options.MaxCompressedBytes {
			return errCompressedTooLarge
		}
		// It is decompressed even where it was not asked for: the bounds hold
		// all the same.
		limited := &limitedReader{r: r.body, left: bs.options.MaxCompressedBytes, err: errCompressedTooLarge}
		z, err := bs.unzip(limited)
		if err != nil {
			return err
		}
		defer bs.gzip.Put(z)
		return b.read(z, hint)
	default:
		return fmt.Errorf("body has the encoding %.32q, which was not asked for", r.encoding)
	}
}

// unzip is a pooled gzip reader over r.
func (bs *bodies) unzip(r io.Reader) (*gzip.Reader, error) {
	z, ok := bs.gzip.Get().(*gzip.Reader)
	if !ok {
		return gzip.NewReader(r)
	}
	if err := z.Reset(r); err != nil {
		bs.gzip.Put(z)
		return nil, err
	}
	return z, nil
}

// classify gives an error of reading a body its reason.
func (bs *bodies) classify(c *call, err error) error {
	const doing = "read the body"
	reason := ReasonBroken
	switch {
	case errors.Is(err, errBodyTooLarge):
		bs.counts.bodyTooLarge.Add(1)
		return &Error{Reason: ReasonTooLarge, Err: fmt.Errorf("%s: %w of %d bytes", doing, err, bs.options.MaxBodyBytes)}
	case errors.Is(err, errCompressedTooLarge):
		bs.counts.compressedTooLarge.Add(1)
		return &Error{Reason: ReasonTooLarge, Err: fmt.Errorf("%s: %w of %d bytes", doing, err, bs.options.MaxCompressedBytes)}
	}
	failure := c.failed(reason, doing, err)
	if ReasonOf(failure) == ReasonNoShare {
		bs.counts.noShare.Add(1)
	}
	return failure
}

// limitedReader fails with err where more than left bytes are read.
type limitedReader struct {
	r    io.Reader
	left int64
	err  error
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		// Only what goes beyond the limit is an error; the end may be here.
		var probe [1]byte
		if n, err := l.r.Read(probe[:]); n == 0 {
			return 0, err
		}
		return 0, l.err
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	return n, err
}
