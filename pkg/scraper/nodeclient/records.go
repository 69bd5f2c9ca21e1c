// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"encoding/binary"
	"net"
	"sync"
)

// records is a connection below TLS whose reads end where a record ends.
//
// crypto/tls keeps the buffer into which it reads for as long as the connection
// lives, and lets it grow to twice the size of a record and more where a read
// brings the beginning of the next one: 9.5 KB for records of 4 KiB, 40 KB for
// those of 16 KiB. Where no read goes beyond the record, it is 5 KB (one in six
// 8 KB) and 23 KB; see BenchmarkIdle. What is read too much waits in a buffer that
// is borrowed while there is something in it. That buffer is also larger, so that
// much takes few reads.
//
// A record's length is all that is looked at, and it only decides how much a
// Read returns: the bytes are those of the connection, in their order.
//
// One goroutine reads at a time.
type records struct {
	net.Conn
	pool *sync.Pool // of *recordBuffer

	buffer *recordBuffer // nil: nothing is unread
	unread []byte        // in buffer
	more   bool          // the last read of Conn left no room, so that more is there

	// Where the next byte belongs to.
	header [recordHeader]byte
	got    int // bytes of the header
	left   int // bytes of the record behind its header
}

const (
	recordHeader     = 5 // Type, version and, in its last two bytes, the length.
	recordBufferSize = 16 << 10

	// tightBuffer is for how small a buffer of crypto/tls records do not matter.
	// It doubles as it grows; coming from records of the handshake, it would be
	// 8 KB for 4 KiB. With a part of the next record in it, it grows by what
	// that needs. It is a little less than what a record of 4 KiB needs.
	tightBuffer = 4<<10 + 512
)

type recordBuffer [recordBufferSize]byte

func (r *records) Read(p []byte) (int, error) {
	all := r.got == 0 && r.left == 0 && len(p) < tightBuffer
	if len(r.unread) == 0 && r.more {
		// It will not have to wait with the buffer in its hands.
		r.buffer = r.pool.Get().(*recordBuffer)
		n, err := r.Conn.Read(r.buffer[:])
		r.unread, r.more = r.buffer[:n], n == len(r.buffer)
		if n == 0 {
			r.giveBack()
			return 0, err
		}
	}
	if len(r.unread) > 0 {
		n := r.pass(r.unread[:min(len(p), len(r.unread))], all)
		copy(p, r.unread[:n])
		if r.unread = r.unread[n:]; len(r.unread) == 0 {
			r.giveBack()
		}
		return n, nil
	}
	p = p[:min(len(p), recordBufferSize)]
	n, err := r.Conn.Read(p)
	r.more = n > 0 && n == len(p)
	passed := r.pass(p[:n], all)
	if passed == n {
		return n, err
	}
	// p is ours until we return. An error comes again.
	r.buffer = r.pool.Get().(*recordBuffer)
	r.unread = r.buffer[:copy(r.buffer[:], p[passed:n])]
	return passed, nil
}

// pass is how many of the bytes may be given out: all of them, or those up to
// the end of the record. It takes note of where they end.
func (r *records) pass(data []byte, all bool) int {
	for n := 0; n < len(data); {
		if r.left == 0 {
			read := copy(r.header[r.got:], data[n:])
			n += read
			if r.got += read; r.got < recordHeader {
				return n
			}
			r.got, r.left = 0, int(binary.BigEndian.Uint16(r.header[recordHeader-2:]))
		}
		read := min(r.left, len(data)-n)
		r.left -= read
		if n += read; r.left == 0 && !all {
			return n
		}
	}
	return len(data)
}

func (r *records) giveBack() {
	r.pool.Put(r.buffer)
	r.buffer, r.unread = nil, nil
}
