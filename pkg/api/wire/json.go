// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import "github.com/metrics-apiserver/metrics-apiserver/pkg/storage"

// writeJSON writes list as encoding/json does the typed list, new line and all.
func writeJSON(out *Chunks, list *List) {
	buf := out.buf
	buf = append(buf, `{"kind":"`...)
	buf = append(buf, list.Kind...)
	buf = append(buf, `List","apiVersion":"`+group+`/`...)
	buf = append(buf, list.Version...)
	buf = append(buf, `","metadata":{},"items":[`...)

	encoder := newJSONEncoder(list)
	first := true
	for item := range list.Items {
		if !first {
			buf = append(buf, ',')
		}
		first = false
		if !out.Put(encoder.append(buf, item)) {
			return
		}
		buf = out.buf
	}
	out.Put(append(buf, "]}\n"...))
}

// jsonEncoder keeps what items have in common with the one before.
type jsonEncoder struct {
	kind Kind
	// created is the field creationTimestamp.
	created []byte
	// labels is that of the last item in both forms: the pods of a workload,
	// which share theirs, follow upon each other in most lists.
	labels struct {
		of    Labels
		field []byte
	}
	// time is that of the last item, in seconds, in both forms.
	time struct {
		of    storage.Millis
		field []byte
	}
}

func newJSONEncoder(list *List) *jsonEncoder {
	e := &jsonEncoder{kind: list.Kind}
	e.created = AppendTime(append(e.created, `"creationTimestamp":`...), list.Created)
	return e
}

func (e *jsonEncoder) append(dst []byte, item *Item) []byte {
	dst = append(dst, `{"metadata":{`...)
	if item.Name != "" {
		dst = append(dst, `"name":`...)
		dst = append(AppendString(dst, item.Name), ',')
	}
	if item.Namespace != "" {
		dst = append(dst, `"namespace":`...)
		dst = append(AppendString(dst, item.Namespace), ',')
	}
	dst = append(dst, e.created...)
	if item.Labels != "" {
		dst = append(dst, e.labelsField(item.Labels)...)
	}
	dst = append(dst, `},"timestamp":`...)
	dst = append(dst, e.timeValue(item.Time)...)
	dst = append(dst, `,"window":`...)
	dst = appendDuration(dst, item.Window)
	if e.kind == NodeMetrics {
		dst = append(dst, ',')
		dst = appendUsage(dst, &item.Containers[0])
		return append(dst, '}')
	}
	dst = append(dst, `,"containers":[`...)
	for i := range item.Containers {
		if i > 0 {
			dst = append(dst, ',')
		}
		container := &item.Containers[i]
		dst = append(dst, `{"name":`...)
		dst = append(AppendString(dst, container.Name), ',')
		dst = append(appendUsage(dst, container), '}')
	}
	return append(dst, "]}"...)
}

// appendUsage is the field usage; its keys are in order.
func appendUsage(dst []byte, usage *storage.ContainerUsage) []byte {
	dst = append(dst, `"usage":{"cpu":"`...)
	dst = cpuQuantity(usage.CPU).append(dst)
	dst = append(dst, `","memory":"`...)
	dst = bytesQuantity(usage.Memory).append(dst)
	if usage.HasSwap {
		dst = append(dst, `","swap":"`...)
		dst = bytesQuantity(usage.Swap).append(dst)
	}
	return append(dst, `"}`...)
}

// labelsField is the field labels, with the comma before it.
func (e *jsonEncoder) labelsField(labels Labels) []byte {
	if labels == e.labels.of { // quick where they are shared: the same bytes
		return e.labels.field
	}
	field := e.labels.field[:0]
	field = append(field, `,"labels":{`...)
	first := true
	for key, value := range labels.All() {
		if !first {
			field = append(field, ',')
		}
		first = false
		field = append(AppendString(field, key), ':')
		field = AppendString(field, value)
	}
	field = append(field, '}')
	e.labels.of, e.labels.field = labels, field
	return field
}

// timeValue is AppendTime of a moment.
func (e *jsonEncoder) timeValue(m storage.Millis) []byte {
	if m <= 0 {
		return AppendTime(e.time.field[:0], m)
	}
	if second := m / 1000; second != e.time.of {
		e.time.of, e.time.field = second, AppendTime(e.time.field[:0], m)
	}
	return e.time.field
}
