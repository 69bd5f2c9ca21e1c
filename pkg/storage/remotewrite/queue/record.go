// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// A Record is one request that is yet to be made, and what its sender has to know.
type Record struct {
	// Seq is the record's number. Append gives it; numbers grow, with gaps.
	Seq uint64
	// Epoch, Lane and Protocol mean nothing to the queue.
	Epoch    uint64
	Lane     uint16
	Protocol uint8
	// Samples is how many samples are in the body: what is counted when the record
	// is dropped.
	Samples uint32
	// Oldest and Newest are the times of the samples.
	Oldest, Newest storage.Millis
	Body           []byte
}

// headerLen is the length of a record's header, in bytes.
const headerLen = 56

// maxBody is the largest body that a header may announce, in bytes.
const maxBody = 64 << 20

// errHeader says that bytes are no header.
var errHeader = errors.New("no record here")

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// size is how many bytes the record takes, on disk as in memory.
func (r *Record) size() int64 { return headerLen + int64(len(r.Body)) }

// append appends the record as it is on disk.
func (r *Record) append(dst []byte) []byte {
	start := len(dst)
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint32(dst, checksum(r.Body))
	dst = le.AppendUint64(dst, r.Seq)
	dst = le.AppendUint64(dst, r.Epoch)
	dst = le.AppendUint64(dst, uint64(r.Oldest))
	dst = le.AppendUint64(dst, uint64(r.Newest))
	dst = le.AppendUint32(dst, uint32(len(r.Body)))
	dst = le.AppendUint32(dst, r.Samples)
	dst = le.AppendUint16(dst, r.Lane)
	// The last five bytes are for what is yet to come.
	dst = append(dst, r.Protocol, 0, 0, 0, 0, 0)
	le.PutUint32(dst[start:], checksum(dst[start+4:]))
	return append(dst, r.Body...)
}

// A header is what is before a body.
type header struct {
	Record
	length int64
	sum    uint32
}

// parseHeader reads a header. The record in it has no body yet.
func parseHeader(b []byte) (header, error) {
	le := binary.LittleEndian
	if len(b) < headerLen || le.Uint32(b) != checksum(b[4:headerLen]) {
		return header{}, errHeader
	}
	h := header{sum: le.Uint32(b[4:]), length: int64(le.Uint32(b[40:]))}
	if h.length > maxBody {
		return header{}, errHeader
	}
	h.Seq, h.Epoch = le.Uint64(b[8:]), le.Uint64(b[16:])
	h.Oldest, h.Newest = storage.Millis(le.Uint64(b[24:])), storage.Millis(le.Uint64(b[32:]))
	h.Samples, h.Lane, h.Protocol = le.Uint32(b[44:]), le.Uint16(b[48:]), b[50]
	return h, nil
}
