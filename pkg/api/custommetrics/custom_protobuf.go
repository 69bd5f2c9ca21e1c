// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import "github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"

// The tags of the fields of a MetricValue and of what is in it.
const (
	describedTag          = 1<<3 | bytesType // v1beta1 and v1beta2
	metricNameTag         = 2<<3 | bytesType // v1beta1
	valueSelectorTag      = 6<<3 | bytesType
	metricTag             = 2<<3 | bytesType // v1beta2
	identifierNameTag     = 1<<3 | bytesType // MetricIdentifier
	identifierSelectorTag = 2<<3 | bytesType
	objectKindTag         = 1<<3 | bytesType // ObjectReference
	objectNamespaceTag    = 2<<3 | bytesType
	objectNameTag         = 3<<3 | bytesType
	objectUIDTag          = 4<<3 | bytesType
	objectAPITag          = 5<<3 | bytesType
	objectVersionTag      = 6<<3 | bytesType
	objectFieldTag        = 7<<3 | bytesType
)

// protobuf writes what the generated code does of the typed list, with the
// envelope around it.
func (l *customList) protobuf(out *wire.Chunks) {
	items := l.protobufItems()
	size := emptyListSize()
	for i := range l.answer.Values {
		_, item := items.sizes(&l.answer.Values[i])
		size += wire.FieldSize(item)
	}
	buf := appendEmptyList(out.Buffer(), customListKind, l.version.String(), size)
	for i := range l.answer.Values {
		if !out.Put(items.append(buf, &l.answer.Values[i])) {
			return
		}
		buf = out.Buffer()
	}
	out.Put(append(buf, wire.EnvelopeEnd...))
}

// customProtobuf is the parts that all items have in common, with what lies
// between them. Fields that are not optional are written even where they are
// empty.
type customProtobuf struct {
	head   []byte // the object's namespace and name
	end    []byte // the object ends
	metric []byte // the value
	tail   []byte
}

func (l *customList) protobufItems() *customProtobuf {
	c := &customProtobuf{}
	c.head = wire.AppendField(c.head, objectKindTag, l.answer.Kind)
	c.end = wire.AppendField(c.end, objectUIDTag, "")
	c.end = wire.AppendField(c.end, objectAPITag, l.answer.APIVersion)
	c.end = wire.AppendField(c.end, objectVersionTag, "")
	c.end = wire.AppendField(c.end, objectFieldTag, "")
	selector := l.protobufSelector()
	if l.old() {
		c.metric = wire.AppendField(c.metric, metricNameTag, l.metric)
		if l.selector != nil {
			c.tail = wire.AppendField(c.tail, valueSelectorTag, selector)
		}
		return c
	}
	size := wire.FieldSize(len(l.metric))
	if l.selector != nil {
		size += wire.FieldSize(len(selector))
	}
	c.metric = wire.AppendLength(c.metric, metricTag, size)
	c.metric = wire.AppendField(c.metric, identifierNameTag, l.metric)
	if l.selector != nil {
		c.metric = wire.AppendField(c.metric, identifierSelectorTag, selector)
	}
	return c
}

func (l *customList) protobufSelector() string {
	if l.selector == nil {
		return ""
	}
	encoded, err := l.selector.Marshal()
	if err != nil {
		panic("BUG: a selector has no protobuf: " + err.Error())
	}
	return string(encoded)
}

// sizes are those of a value's described object and of the whole item, without
// its own tag and length.
func (c *customProtobuf) sizes(v *Value) (object, item int) {
	object = len(c.head) + wire.FieldSize(len(v.Namespace)) + wire.FieldSize(len(v.Name)) + len(c.end)
	return object, wire.FieldSize(object) + len(c.metric) + valueSize(v.Time, v.Window, v.Milli) + len(c.tail)
}

// append appends v as an element of a list.
func (c *customProtobuf) append(dst []byte, v *Value) []byte {
	object, item := c.sizes(v)
	dst = wire.AppendLength(dst, listItemTag, item)
	dst = wire.AppendLength(dst, describedTag, object)
	dst = append(dst, c.head...)
	dst = wire.AppendField(dst, objectNamespaceTag, v.Namespace)
	dst = wire.AppendField(dst, objectNameTag, v.Name)
	dst = append(dst, c.end...)
	dst = append(dst, c.metric...)
	dst = appendValue(dst, v.Time, v.Window, v.Milli)
	return append(dst, c.tail...)
}
