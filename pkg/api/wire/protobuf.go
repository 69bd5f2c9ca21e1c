// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"slices"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// The tags of the fields that are written: the field's number and its wire type.
const (
	varint  = 0
	message = 2

	unknownTypeTag     = 1<<3 | message // runtime.Unknown
	unknownRawTag      = 2<<3 | message
	unknownEncodingTag = 3<<3 | message
	unknownContentTag  = 4<<3 | message
	typeVersionTag     = 1<<3 | message // runtime.TypeMeta
	typeKindTag        = 2<<3 | message
	listMetaTag        = 1<<3 | message // PodMetricsList, NodeMetricsList
	listItemTag        = 2<<3 | message
	itemMetaTag        = 1<<3 | message // PodMetrics, NodeMetrics
	itemTimeTag        = 2<<3 | message
	itemWindowTag      = 3<<3 | message
	podContainerTag    = 4<<3 | message
	nodeUsageTag       = 4<<3 | message
	containerNameTag   = 1<<3 | message // ContainerMetrics
	containerUsageTag  = 2<<3 | message
	quantityTag        = 1<<3 | message // Quantity
	metaNameTag        = 1<<3 | message // ObjectMeta
	metaGenerateTag    = 2<<3 | message
	metaNamespaceTag   = 3<<3 | message
	metaSelfLinkTag    = 4<<3 | message
	metaUIDTag         = 5<<3 | message
	metaVersionTag     = 6<<3 | message
	metaGenerationTag  = 7<<3 | varint
	metaCreatedTag     = 8<<3 | message
	secondsTag         = 1<<3 | varint // Timestamp
	nanosTag           = 2<<3 | varint
	durationTag        = 1<<3 | varint // Duration
)

// The parts that are always the same. Fields that are not optional are written
// even where they are empty.
const (
	// EmptyListMeta is the content of a metav1.ListMeta with nothing in it.
	EmptyListMeta = "\x0a\x00\x12\x00\x1a\x00"
	// EnvelopeEnd is an empty content encoding and type.
	EnvelopeEnd   = "\x1a\x00\x22\x00"
	protobufMagic = "k8s\x00"
)

// writeProtobuf writes list as the generated code does the typed list, in the
// envelope that Kubernetes puts around every object, which says how long the list
// is up front.
func writeProtobuf(out *Chunks, list *List) {
	size := FieldSize(len(EmptyListMeta))
	for i := range list.Runs {
		run := &list.Runs[i]
		if run.Size == 0 {
			sizer := NewSizer(list.Kind, list.Created)
			for item := range run.Items {
				size += sizer.Size(item)
			}
		}
		size += run.Size
	}

	buf := AppendEnvelope(out.buf, group+"/"+list.Version, string(list.Kind)+"List", size)
	buf = AppendField(buf, listMetaTag, EmptyListMeta)
	encoder := newProtobufEncoder(list.Kind, list.Created)
	for item := range list.items {
		if !out.Put(encoder.append(buf, item)) {
			return
		}
		buf = out.buf
	}
	out.Put(append(buf, EnvelopeEnd...))
}

// Sizer says how large items are in protobuf. Who has an item at hand when a list
// is made spares the encoder going through all items for it. A Sizer is not for
// concurrent use.
type Sizer struct {
	kind    Kind
	created storage.Millis
	encoder *protobufEncoder // nil: nothing was measured yet
}

// NewSizer is a Sizer for the items of a list of that Kind and Created.
func NewSizer(kind Kind, created storage.Millis) *Sizer {
	return &Sizer{kind: kind, created: created}
}

// Size is how many bytes item takes in a list.
func (s *Sizer) Size(item *Item) int {
	return FieldSize(s.prepared().size(item))
}

// SizePosted is Size for an item whose Containers are those of posted: who only asks
// for sizes need not make them.
func (s *Sizer) SizePosted(item *Item, posted *storage.Posted, statuses []storage.ContainerStatus) int {
	size := s.prepared().headSize(item)
	for i := range posted.Len() {
		status, cpu, memory, hasSwap := posted.Container(i)
		size += containerSize(len(statuses[status].Name), usageSize(cpu, memory, 0, hasSwap))
	}
	return FieldSize(size)
}

func (s *Sizer) prepared() *protobufEncoder {
	if s.encoder == nil {
		s.encoder = newProtobufEncoder(s.kind, s.created)
	}
	return s.encoder
}

// AppendEnvelope starts the envelope that Kubernetes puts around every object in
// protobuf: the object, of size bytes, is to follow, and EnvelopeEnd.
func AppendEnvelope(dst []byte, apiVersion, kind string, size int) []byte {
	dst = append(dst, protobufMagic...)
	dst = AppendLength(dst, unknownTypeTag, entrySize(len(apiVersion), len(kind)))
	dst = AppendField(dst, typeVersionTag, apiVersion)
	dst = AppendField(dst, typeKindTag, kind)
	return AppendLength(dst, unknownRawTag, size)
}

// protobufEncoder keeps what items have in common: all, or with the one before.
type protobufEncoder struct {
	kind Kind
	// fixed is what lies between an item's namespace and labels.
	fixed []byte
	// common is what follows upon the name in the metadata of the last item.
	common struct {
		namespace string
		labels    Labels
		bytes     []byte // nil: there was no item yet
	}
}

func newProtobufEncoder(kind Kind, created storage.Millis) *protobufEncoder {
	e := &protobufEncoder{kind: kind, fixed: make([]byte, 0, 32)}
	for _, tag := range []byte{metaSelfLinkTag, metaUIDTag, metaVersionTag} {
		e.fixed = AppendField(e.fixed, tag, "")
	}
	e.fixed = append(e.fixed, metaGenerationTag, 0)
	e.fixed = AppendTimestamp(e.fixed, metaCreatedTag, created)
	return e
}

// commonBytes is what follows upon the name in the metadata of item.
func (e *protobufEncoder) commonBytes(item *Item) []byte {
	c := &e.common
	// Quick where labels are shared: they are the same bytes then.
	if c.bytes != nil && item.Labels == c.labels && item.Namespace == c.namespace {
		return c.bytes
	}
	if c.bytes == nil {
		c.bytes = make([]byte, 0, 512)
	}
	b := c.bytes[:0]
	b = append(b, metaGenerateTag, 0)
	b = AppendField(b, metaNamespaceTag, item.Namespace)
	b = append(b, e.fixed...)
	b = append(b, item.Labels...)
	c.namespace, c.labels, c.bytes = item.Namespace, item.Labels, b
	return b
}

// commonSize is the size of commonBytes. It does not look at what the strings are:
// who only asks for sizes does not wait for their memory.
func (e *protobufEncoder) commonSize(item *Item) int {
	return 2 + FieldSize(len(item.Namespace)) + len(e.fixed) + len(item.Labels)
}

// metaSize is the size of the metadata of item.
func (e *protobufEncoder) metaSize(item *Item) int {
	return FieldSize(len(item.Name)) + e.commonSize(item)
}

// containers is what has usage in item: a pod's containers, or the node.
func (e *protobufEncoder) containers(item *Item) []storage.ContainerUsage {
	if e.kind == NodeMetrics {
		return item.Containers[:1]
	}
	return item.Containers
}

// size is how much append appends for item, without the item's own tag and length.
func (e *protobufEncoder) size(item *Item) int {
	total := e.headSize(item)
	containers := e.containers(item)
	for i := range containers {
		container := &containers[i]
		usage := usageSize(container.CPU, container.Memory, container.Swap, container.HasSwap)
		if e.kind == PodMetrics {
			usage = containerSize(len(container.Name), usage)
		}
		total += usage
	}
	return total
}

// headSize is the size of what comes before usage.
func (e *protobufEncoder) headSize(item *Item) int {
	return FieldSize(e.metaSize(item)) + FieldSize(TimestampSize(item.Time)) + FieldSize(durationSize(item.Window))
}

// containerSize is the size of a container's field, of which its usage is a part.
func containerSize(name, usage int) int { return FieldSize(FieldSize(name) + usage) }

// append appends item as an element of a list. What has numbers in it gets its
// length afterwards: to know it before, numbers would be put into digits twice.
func (e *protobufEncoder) append(dst []byte, item *Item) []byte {
	const itemRoom, containerRoom = 2, 1 // nearly always
	dst = append(dst, listItemTag, 0, 0)
	begin := len(dst)

	dst = AppendLength(dst, itemMetaTag, e.metaSize(item))
	dst = AppendField(dst, metaNameTag, item.Name)
	dst = append(dst, e.commonBytes(item)...)

	dst = AppendTimestamp(dst, itemTimeTag, item.Time)
	dst = AppendLength(dst, itemWindowTag, durationSize(item.Window))
	dst = append(dst, durationTag)
	dst = binary.AppendUvarint(dst, uint64(item.Window.Duration()))

	containers := e.containers(item)
	for i := range containers {
		container := &containers[i]
		if e.kind == NodeMetrics {
			dst = appendUsage(dst, nodeUsageTag, container)
			continue
		}
		dst = append(dst, podContainerTag, 0)
		within := len(dst)
		dst = AppendField(dst, containerNameTag, container.Name)
		dst = appendUsage(dst, containerUsageTag, container)
		dst = putLength(dst, within, containerRoom)
	}
	return putLength(dst, begin, itemRoom)
}

// putLength puts the length of what dst has from begin on before it, where room
// bytes were left for that.
func putLength(dst []byte, begin, room int) []byte {
	size := len(dst) - begin
	switch {
	case room == 1 && size < 0x80:
		dst[begin-1] = byte(size)
	case room == 2 && size >= 0x80 && size < 0x4000:
		dst[begin-2], dst[begin-1] = byte(size)|0x80, byte(size>>7)
	default:
		length := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64), uint64(size))
		dst = slices.Replace(dst, begin-room, begin, length...)
	}
	return dst
}

// The entries of the map of usage but for the number and its suffix. The lengths
// in an entry are all below 128, a byte each: a quantity has at most 19 digits
// and a suffix of at most two bytes.
const (
	cpuEntrySize    = 2 + 2 + len("cpu") + 2 + 2
	memoryEntrySize = 2 + 2 + len("memory") + 2 + 2
	swapEntrySize   = 2 + 2 + len("swap") + 2 + 2
)

// usageSize is the size of the entries of the map of usage.
func usageSize(cpu, memory, swap uint64, hasSwap bool) int {
	size := cpuEntrySize + cpuQuantity(cpu).size() + memoryEntrySize + bytesQuantity(memory).size()
	if hasSwap {
		size += swapEntrySize + bytesQuantity(swap).size()
	}
	return size
}

// appendUsage appends the entries of the map of usage, sorted by key.
func appendUsage(dst []byte, tag byte, usage *storage.ContainerUsage) []byte {
	dst = append(dst, tag, 0, keyTag, 3, 'c', 'p', 'u', valueTag, 0, quantityTag, 0)
	dst = appendAmount(dst, cpuEntrySize, cpuQuantity(usage.CPU))
	dst = append(dst, tag, 0, keyTag, 6, 'm', 'e', 'm', 'o', 'r', 'y', valueTag, 0, quantityTag, 0)
	dst = appendAmount(dst, memoryEntrySize, bytesQuantity(usage.Memory))
	if usage.HasSwap {
		dst = append(dst, tag, 0, keyTag, 4, 's', 'w', 'a', 'p', valueTag, 0, quantityTag, 0)
		dst = appendAmount(dst, swapEntrySize, bytesQuantity(usage.Swap))
	}
	return dst
}

// appendAmount appends the number of an entry, of which all else, entry bytes, has
// been appended, and puts the three lengths where they belong.
func appendAmount(dst []byte, entry int, amount quantity) []byte {
	begin := len(dst)
	dst = amount.append(dst)
	size := byte(len(dst) - begin)
	dst[begin-1], dst[begin-3], dst[begin-entry+1] = size, 2+size, byte(entry-2)+size
	return dst
}

// TimestampSize is the size of a metav1.Time's content: none is an empty message.
func TimestampSize(m storage.Millis) int {
	if m == 0 {
		return 0
	}
	return 1 + VarintSize(seconds(m)) + 2
}

// AppendTimestamp appends a field that is a metav1.Time: whole seconds.
func AppendTimestamp(dst []byte, tag byte, m storage.Millis) []byte {
	dst = AppendLength(dst, tag, TimestampSize(m))
	if m == 0 {
		return dst
	}
	dst = append(dst, secondsTag)
	dst = binary.AppendUvarint(dst, seconds(m))
	return append(dst, nanosTag, 0)
}

// seconds is a moment, which must not be none, in Unix seconds as a varint takes them.
func seconds(m storage.Millis) uint64 {
	s := m / 1000
	if m%1000 < 0 {
		s--
	}
	return uint64(s)
}

func durationSize(m storage.Millis) int { return 1 + VarintSize(uint64(m.Duration())) }
