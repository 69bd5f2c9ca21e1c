// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http/httputil"
	"net/textproto"
)

// The bodies of answers whose head parseHead has read. They do what the bodies
// of http.ReadResponse do, without their locks and their record of trailers.

// sizedBody is a body of known length.
type sizedBody struct {
	r    *bufio.Reader
	left int64
}

// Read says the end together with the last bytes, so that nobody makes room for
// more.
func (b *sizedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	switch {
	case b.left == 0 && n > 0:
		return n, io.EOF
	case errors.Is(err, io.EOF):
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// chunkedBody is a chunked body. It ends behind the trailer.
type chunkedBody struct {
	r      *bufio.Reader
	chunks io.Reader
	err    error
}

func newChunkedBody(r *bufio.Reader) chunkedBody {
	return chunkedBody{r: r, chunks: httputil.NewChunkedReader(r)}
}

func (b *chunkedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.chunks.Read(p)
	if errors.Is(err, io.EOF) {
		if problem := skipTrailer(b.r); problem != nil {
			err = problem
		}
	}
	b.err = err
	return n, err
}

var errLongTrailer = errors.New("trailer of the chunked body is not at its end or too long")

// skipTrailer reads what is behind the last chunk: an empty line, and fields
// before it in theory, which must be well formed.
func skipTrailer(r *bufio.Reader) error {
	const lineEnd, endOfHead = "\r\n", "\r\n\r\n"
	next, err := r.Peek(len(lineEnd))
	switch {
	case string(next) == lineEnd:
		_, err = r.Discard(len(lineEnd))
		return err
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	}
	// It has to end within the reader's buffer, which bounds it.
	for size := len(endOfHead); ; size++ {
		next, err := r.Peek(size)
		if bytes.HasSuffix(next, []byte(endOfHead)) {
			break
		}
		if err != nil {
			return errLongTrailer
		}
	}
	_, err = textproto.NewReader(r).ReadMIMEHeader()
	return err
}
