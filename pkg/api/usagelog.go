// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/binary"
	"iter"
	"strings"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// usageLog is the usage of many pods, one after the other, in a quarter of the
// memory that storage.PodUsage takes: some 50 bytes a pod of two containers, and
// not a pointer. A list of all pods is thus a snapshot for little, and ten at
// once are no burden. The zero usageLog is empty.
//
// It is held in blocks, so that it grows without copying; blocks are strings, so
// that the names in them need no copies.
type usageLog struct {
	full []string
	open strings.Builder
	// record is where each record is made.
	record []byte
}

// blockSize is from how many bytes on a new block is begun.
const blockSize = 32 << 10

// add adds the usage of one pod; at is near the time of all.
func (l *usageLog) add(at storage.Millis, usage *storage.PodUsage) {
	r := l.record[:0]
	r = binary.AppendVarint(r, int64(at-usage.Time))
	r = binary.AppendVarint(r, int64(usage.Window))
	r = binary.AppendUvarint(r, uint64(len(usage.Containers)))
	for i := range usage.Containers {
		c := &usage.Containers[i]
		swap := uint64(0)
		if c.HasSwap {
			swap = 1
		}
		r = binary.AppendUvarint(r, uint64(len(c.Name))<<1|swap)
		r = append(r, c.Name...)
		r = binary.AppendUvarint(r, c.CPU)
		r = binary.AppendUvarint(r, c.Memory)
		if c.HasSwap {
			r = binary.AppendUvarint(r, c.Swap)
		}
	}
	l.record = r
	if l.open.Len() > 0 && l.open.Len()+len(r) > blockSize {
		l.full = append(l.full, l.open.String())
		l.open = strings.Builder{}
		l.open.Grow(blockSize)
	}
	l.open.Write(r)
}

// all fills the item it is given with one record after the other: the fields of
// the sample. Records are those that there were at its start.
func (l *usageLog) all(at storage.Millis, item *wire.Item) iter.Seq[*wire.Item] {
	return func(yield func(*wire.Item) bool) {
		for i := range len(l.full) + 1 {
			block := logReader(l.open.String())
			if i < len(l.full) {
				block = logReader(l.full[i])
			}
			for block != "" {
				block.read(at, item)
				if !yield(item) {
					return
				}
			}
		}
	}
}

// logReader is what is left of a block.
type logReader string

func (r *logReader) read(at storage.Millis, item *wire.Item) {
	item.Time = at - storage.Millis(r.varint())
	item.Window = storage.Millis(r.varint())
	item.Containers = item.Containers[:0]
	for range r.uvarint() {
		head := r.uvarint()
		c := storage.ContainerUsage{Name: r.text(int(head >> 1)), HasSwap: head&1 != 0}
		c.CPU = r.uvarint()
		c.Memory = r.uvarint()
		if c.HasSwap {
			c.Swap = r.uvarint()
		}
		item.Containers = append(item.Containers, c)
	}
}

func (r *logReader) text(size int) string {
	text := string((*r)[:size])
	*r = (*r)[size:]
	return text
}

func (r *logReader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *logReader) uvarint() uint64 {
	s := *r
	v := uint64(0)
	for i, shift := 0, 0; ; i, shift = i+1, shift+7 {
		b := s[i]
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			*r = s[i+1:]
			return v
		}
	}
}
