// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The fields of metav1.WatchEvent, a type and an object, and of the
// runtime.RawExtension that the object is in.
const (
	eventObject  = 2
	extensionRaw = 1
)

// pruningStream is the Serializer of a watch's events. An event is decoded in two
// steps: first it is copied out of the stream with the object in it as bytes, and
// these are decoded then. What is not kept of the object is left out before the first
// of them, or each pod of 5 kB would be copied to be pruned.
type pruningStream struct {
	runtime.Serializer
	objects *pruningSerializer
	buffers sync.Pool // of *eventBuffers
}

// eventBuffers are what an event is pruned in.
type eventBuffers struct{ object, event []byte }

// Decode is runtime.Decoder's. What is not understood goes to the Serializer as it
// is.
func (s *pruningStream) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	b, ok := s.buffers.Get().(*eventBuffers)
	if !ok {
		b = &eventBuffers{}
	}
	if s.prune(b, data) {
		data = b.event
	}
	// As for objects, the bytes are copied by who decodes them.
	object, kind, err := s.Serializer.Decode(data, defaults, into)
	if cap(b.object) <= maxPrunedBuffer && cap(b.event) <= maxPrunedBuffer {
		s.buffers.Put(b)
	}
	return object, kind, err
}

// prune makes b.event of data with the object in it pruned; where it says false, there
// is no use in it.
func (s *pruningStream) prune(b *eventBuffers, data []byte) bool {
	b.event = b.event[:0]
	for len(data) > 0 {
		number, content, size := bytesField(data)
		if size < 0 {
			return false
		}
		field := data[:size]
		data = data[size:]
		if number != eventObject {
			b.event = append(b.event, field...)
			continue
		}
		number, raw, size := bytesField(content)
		if size != len(content) || number != extensionRaw {
			return false // Nothing else is in it.
		}
		pruned, ok := s.objects.prune(b.object[:0], raw)
		if b.object = pruned; !ok {
			return false
		}
		length := protowire.SizeTag(extensionRaw) + protowire.SizeBytes(len(b.object))
		b.event = protowire.AppendVarint(protowire.AppendTag(b.event, eventObject, protowire.BytesType), uint64(length))
		b.event = protowire.AppendBytes(protowire.AppendTag(b.event, extensionRaw, protowire.BytesType), b.object)
	}
	return true
}
