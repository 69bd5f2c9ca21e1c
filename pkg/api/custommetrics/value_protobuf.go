// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"encoding/binary"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// The tags of fields, a number and a wire type, that all kinds of lists have.
const (
	bytesType  = 2
	varintType = 0

	listMetaTag  = 1<<3 | bytesType
	listItemTag  = 2<<3 | bytesType
	timestampTag = 3<<3 | bytesType
	windowTag    = 4<<3 | varintType
	valueTag     = 5<<3 | bytesType
	quantityTag  = 1<<3 | bytesType // the text of a Quantity
)

// emptyListSize is the size of a list without items.
func emptyListSize() int { return wire.FieldSize(len(wire.EmptyListMeta)) }

// appendEmptyList is a list before its items, in the envelope that Kubernetes
// puts around it; size is that of the whole list.
func appendEmptyList(dst []byte, kind, version string, size int) []byte {
	dst = wire.AppendEnvelope(dst, version, kind, size)
	return wire.AppendField(dst, listMetaTag, wire.EmptyListMeta)
}

// valueSize is how many bytes appendValue appends.
func valueSize(time, window storage.Millis, milli int64) int {
	return wire.FieldSize(wire.TimestampSize(time)) +
		1 + wire.VarintSize(uint64(windowSeconds(window))) +
		2 + 2 + wire.MilliSize(milli)
}

// appendValue appends what the items of all kinds of lists have, when, over how
// long, and how much: the fields 3 to 5.
func appendValue(dst []byte, time, window storage.Millis, milli int64) []byte {
	dst = wire.AppendTimestamp(dst, timestampTag, time)
	dst = append(dst, windowTag)
	dst = binary.AppendUvarint(dst, uint64(windowSeconds(window)))
	size := byte(wire.MilliSize(milli))
	dst = append(dst, valueTag, 2+size, quantityTag, size)
	return wire.AppendMilli(dst, milli)
}
