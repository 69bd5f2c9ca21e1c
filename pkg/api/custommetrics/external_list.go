// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
)

// externalListKind is the kind of every answer about external metrics.
const externalListKind = "ExternalMetricValueList"

// externalList is an ExternalMetricValueList.
type externalList struct {
	version schema.GroupVersion
	metric  string
	values  []ExternalValue
}

// encodes implements content.
func (*externalList) encodes(wire.Encoding) bool { return true }

// encode implements content.
func (l *externalList) encode(out *wire.Chunks, encoding wire.Encoding) {
	if encoding == wire.JSON {
		l.json(out)
	} else {
		l.protobuf(out)
	}
}

// typed implements content.
func (l *externalList) typed() runtime.Object {
	list := &v1beta1.ExternalMetricValueList{Items: make([]v1beta1.ExternalMetricValue, 0, len(l.values))}
	for i := range l.values {
		v := &l.values[i]
		window := windowSeconds(v.Window)
		list.Items = append(list.Items, v1beta1.ExternalMetricValue{
			MetricName:    l.metric,
			MetricLabels:  v.Labels,
			Timestamp:     metav1.NewTime(v.Time.Time()),
			WindowSeconds: &window,
			Value:         *resource.NewMilliQuantity(v.Milli, resource.DecimalSI),
		})
	}
	return list
}

// sortedKeys are the keys of labels, in the room of keys.
func sortedKeys(keys []string, labels map[string]string) []string {
	keys = slices.AppendSeq(keys[:0], maps.Keys(labels))
	slices.Sort(keys)
	return keys
}

// json writes what encoding/json does of the typed list, new line and all.
func (l *externalList) json(out *wire.Chunks) {
	head := wire.AppendString([]byte(`{"metricName":`), l.metric)
	head = append(head, `,"metricLabels":`...)
	values := jsonValues{window: `,"window":`}
	var keys []string
	buf := appendListStart(out.Buffer(), externalListKind, l.version.String())
	for i := range l.values {
		v := &l.values[i]
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(buf, head...)
		keys = sortedKeys(keys, v.Labels)
		buf = append(appendLabels(buf, keys, v.Labels), ',')
		buf = append(values.append(buf, v.Time, v.Window, v.Milli), '}')
		if !out.Put(buf) {
			return
		}
		buf = out.Buffer()
	}
	out.Put(append(buf, listEnd...))
}

// appendLabels is labels in JSON, given their keys.
func appendLabels(dst []byte, keys []string, labels map[string]string) []byte {
	if labels == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	for i, key := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendString(dst, key), ':')
		dst = wire.AppendString(dst, labels[key])
	}
	return append(dst, '}')
}

// The tags of the fields of an ExternalMetricValue, and of a label in it.
const (
	externalNameTag  = 1<<3 | bytesType
	externalLabelTag = 2<<3 | bytesType
	labelKeyTag      = 1<<3 | bytesType
	labelValueTag    = 2<<3 | bytesType
)

// protobuf writes what the generated code does of the typed list, with the
// envelope around it.
func (l *externalList) protobuf(out *wire.Chunks) {
	size := emptyListSize()
	for i := range l.values {
		size += wire.FieldSize(l.itemSize(&l.values[i]))
	}
	var keys []string
	buf := appendEmptyList(out.Buffer(), externalListKind, l.version.String(), size)
	for i := range l.values {
		v := &l.values[i]
		buf = wire.AppendLength(buf, listItemTag, l.itemSize(v))
		buf = wire.AppendField(buf, externalNameTag, l.metric)
		keys = sortedKeys(keys, v.Labels)
		for _, key := range keys {
			value := v.Labels[key]
			buf = wire.AppendLength(buf, externalLabelTag, labelSize(key, value))
			buf = wire.AppendField(buf, labelKeyTag, key)
			buf = wire.AppendField(buf, labelValueTag, value)
		}
		if !out.Put(appendValue(buf, v.Time, v.Window, v.Milli)) {
			return
		}
		buf = out.Buffer()
	}
	out.Put(append(buf, wire.EnvelopeEnd...))
}

// itemSize is the size of v as an element of the list, without its own tag and
// length.
func (l *externalList) itemSize(v *ExternalValue) int {
	size := wire.FieldSize(len(l.metric)) + valueSize(v.Time, v.Window, v.Milli)
	for key, value := range v.Labels {
		size += wire.FieldSize(labelSize(key, value))
	}
	return size
}

func labelSize(key, value string) int { return wire.FieldSize(len(key)) + wire.FieldSize(len(value)) }
