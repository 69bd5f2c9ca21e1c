// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"encoding/binary"
	"os"
	"slices"
)

// slotLen is the length of a slot of the file of acknowledgements, in bytes. It
// has room for a thousand numbers, many times what is in flight at once.
const slotLen = 8192

// maxDone is how many numbers a slot has room for.
const maxDone = (slotLen - 32) / 8

// acks says which records are acknowledged.
type acks struct {
	// low is the number up to which all are.
	low uint64
	// done is the others, sorted.
	done []uint64
}

func (a *acks) has(seq uint64) bool {
	if seq <= a.low {
		return true
	}
	_, ok := slices.BinarySearch(a.done, seq)
	return ok
}

// add acknowledges one record.
func (a *acks) add(seq uint64) {
	if i, ok := slices.BinarySearch(a.done, seq); !ok && seq > a.low {
		a.done = slices.Insert(a.done, i, seq)
	}
}

// raise acknowledges all records up to low.
func (a *acks) raise(low uint64) {
	if low <= a.low {
		return
	}
	a.low = low
	i, _ := slices.BinarySearch(a.done, low+1)
	a.done = slices.Delete(a.done, 0, i)
}

// highest is the highest number that is acknowledged.
func (a *acks) highest() uint64 {
	if n := len(a.done); n > 0 {
		return a.done[n-1]
	}
	return a.low
}

// append appends a slot: checksum, length, turn, low, done.
func (a *acks) append(dst []byte, turn uint64) []byte {
	done := a.done[:min(len(a.done), maxDone)]
	le := binary.LittleEndian
	start := len(dst)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint32(dst, uint32(len(done)))
	dst = le.AppendUint64(dst, turn)
	dst = le.AppendUint64(dst, a.low)
	for _, seq := range done {
		dst = le.AppendUint64(dst, seq)
	}
	le.PutUint32(dst[start:], checksum(dst[start+4:]))
	return dst
}

// parseAcks reads a slot.
func parseAcks(b []byte) (a acks, turn uint64, ok bool) {
	le := binary.LittleEndian
	if len(b) < 24 {
		return acks{}, 0, false
	}
	n := uint64(le.Uint32(b[4:]))
	if n > maxDone || uint64(len(b)) < 24+8*n || le.Uint32(b) != checksum(b[4:24+8*n]) {
		return acks{}, 0, false
	}
	a.low = le.Uint64(b[16:])
	for i := range n {
		a.add(le.Uint64(b[24+8*i:]))
	}
	return a, le.Uint64(b[8:]), true
}

// An ackFile is the file of acknowledgements.
type ackFile struct {
	file *os.File
	turn uint64
	buf  []byte
}

// openAcks opens the file, or makes it, and reads the newer of its slots.
func openAcks(path string) (*ackFile, acks, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, acks{}, err
	}
	b := make([]byte, 2*slotLen)
	n, _ := f.ReadAt(b, 0)
	out := &ackFile{file: f}
	var newest acks
	for slot := range 2 {
		a, turn, ok := parseAcks(b[min(n, slot*slotLen):n])
		if ok && turn >= out.turn {
			newest, out.turn = a, turn
		}
	}
	if n < len(b) {
		// From now on it has its full length: what is written over needs no space.
		if _, err := f.WriteAt(b[n:], int64(n)); err != nil {
			f.Close()
			return nil, acks{}, err
		}
	}
	return out, newest, nil
}

// write writes the slot that was not written last.
func (f *ackFile) write(a *acks) error {
	f.turn++
	f.buf = a.append(f.buf[:0], f.turn)
	_, err := f.file.WriteAt(f.buf, int64(f.turn%2)*slotLen)
	return err
}
