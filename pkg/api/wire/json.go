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
	for item := range list.items {
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

// jsonEncoder keeps what items have in common with the one before: the pods of a
// workload follow upon each other in most lists.
type jsonEncoder struct {
	kind Kind
	// created is the field creationTimestamp.
	created []byte
	// common is what lies between the name and the timestamp of the last item.
	common struct {
		namespace string
		labels    Labels
		text      []byte // nil: there was no item yet
	}
	// minute is the timestamp of the last item, but for its seconds.
	minute struct {
		of   storage.Millis
		text []byte
	}
	// containers has what lies before the numbers of each container.
	containers []jsonContainer
}

// jsonContainer is what lies before the numbers of a container of that name.
type jsonContainer struct {
	name string
	text []byte // nil: there was no container yet
}

func newJSONEncoder(list *List) *jsonEncoder {
	e := &jsonEncoder{kind: list.Kind, created: make([]byte, 0, 64), containers: make([]jsonContainer, 0, 4)}
	e.created = AppendTime(append(e.created, `"creationTimestamp":`...), list.Created)
	return e
}

func (e *jsonEncoder) append(dst []byte, item *Item) []byte {
	dst = append(dst, `{"metadata":{`...)
	if item.Name != "" {
		dst = append(dst, `"name":`...)
		dst = append(AppendString(dst, item.Name), ',')
	}
	dst = append(dst, e.commonText(item)...)
	dst = e.appendTime(dst, item.Time)
	dst = append(dst, `,"window":`...)
	dst = appendDuration(dst, item.Window)
	if e.kind == NodeMetrics {
		dst = append(dst, `,"usage":{"cpu":"`...)
		return append(appendAmounts(dst, &item.Containers[0]), '}')
	}
	dst = append(dst, `,"containers":[`...)
	for i := range item.Containers {
		container := &item.Containers[i]
		dst = append(dst, e.containerText(i, container.Name)...)
		dst = append(appendAmounts(dst, container), '}')
	}
	return append(dst, "]}"...)
}

// appendAmounts is what follows upon `"usage":{"cpu":"`; the keys are in order.
func appendAmounts(dst []byte, usage *storage.ContainerUsage) []byte {
	dst = cpuQuantity(usage.CPU).append(dst)
	dst = append(dst, `","memory":"`...)
	dst = bytesQuantity(usage.Memory).append(dst)
	if usage.HasSwap {
		dst = append(dst, `","swap":"`...)
		dst = bytesQuantity(usage.Swap).append(dst)
	}
	return append(dst, `"}`...)
}

// commonText is what lies between the name and the timestamp of item.
func (e *jsonEncoder) commonText(item *Item) []byte {
	c := &e.common
	// Quick where labels are shared: they are the same bytes then.
	if c.text != nil && item.Labels == c.labels && item.Namespace == c.namespace {
		return c.text
	}
	if c.text == nil {
		c.text = make([]byte, 0, 512)
	}
	text := c.text[:0]
	if item.Namespace != "" {
		text = append(text, `"namespace":`...)
		text = append(AppendString(text, item.Namespace), ',')
	}
	text = append(text, e.created...)
	if item.Labels != "" {
		text = append(text, `,"labels":{`...)
		for key, value := range item.Labels.All() {
			text = append(AppendString(text, key), ':')
			text = append(AppendString(text, value), ',')
		}
		text[len(text)-1] = '}' // in the place of the last comma
	}
	text = append(text, `},"timestamp":`...)
	c.namespace, c.labels, c.text = item.Namespace, item.Labels, text
	return text
}

// appendTime is AppendTime.
func (e *jsonEncoder) appendTime(dst []byte, m storage.Millis) []byte {
	if m <= 0 {
		return AppendTime(dst, m)
	}
	second := m / 1000
	if minute := second / 60; minute != e.minute.of || e.minute.text == nil {
		text := AppendTime(e.minute.text[:0], m)
		e.minute.of, e.minute.text = minute, text[:len(text)-len(`00Z"`)]
	}
	second %= 60
	dst = append(dst, e.minute.text...)
	return append(dst, '0'+byte(second/10), '0'+byte(second%10), 'Z', '"')
}

// containerText is what lies before the numbers of the i-th container of an item.
func (e *jsonEncoder) containerText(i int, name string) []byte {
	if i == len(e.containers) {
		e.containers = append(e.containers, jsonContainer{})
	}
	c := &e.containers[i]
	if c.text != nil && c.name == name {
		return c.text
	}
	if c.text == nil {
		c.text = make([]byte, 0, 64)
	}
	text := c.text[:0]
	if i > 0 {
		text = append(text, ',')
	}
	text = append(text, `{"name":`...)
	text = AppendString(text, name)
	text = append(text, `,"usage":{"cpu":"`...)
	c.name, c.text = name, text
	return text
}
