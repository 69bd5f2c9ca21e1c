// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"encoding/json"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
)

// json writes what encoding/json does of the typed list, new line and all.
func (l *customList) json(out *wire.Chunks) {
	items := l.jsonItems()
	buf := appendListStart(out.Buffer(), customListKind, l.version.String())
	for i := range l.answer.Values {
		if i > 0 {
			buf = append(buf, ',')
		}
		if !out.Put(items.append(buf, &l.answer.Values[i])) {
			return
		}
		buf = out.Buffer()
	}
	out.Put(append(buf, listEnd...))
}

// customJSON is the parts that all items have in common, with what lies between
// them.
type customJSON struct {
	head   []byte // the namespace and the name of the object
	middle []byte // the value
	tail   []byte
	values jsonValues
}

func (l *customList) jsonItems() *customJSON {
	selector, err := json.Marshal(l.selector)
	if err != nil {
		panic("BUG: a selector has no JSON: " + err.Error())
	}
	c := &customJSON{}
	c.head = append(c.head, `{"describedObject":{"kind":`...)
	c.head = append(wire.AppendString(c.head, l.answer.Kind), ',')
	c.middle = append(c.middle, `"apiVersion":`...)
	c.middle = append(wire.AppendString(c.middle, l.answer.APIVersion), '}')
	if l.old() {
		c.middle = append(c.middle, `,"metricName":`...)
		c.middle = append(wire.AppendString(c.middle, l.metric), ',')
		c.values.window = `,"window":`
		c.tail = append(c.tail, `,"selector":`...)
		c.tail = append(c.tail, selector...)
	} else {
		c.middle = append(c.middle, `,"metric":{"name":`...)
		c.middle = wire.AppendString(c.middle, l.metric)
		c.middle = append(c.middle, `,"selector":`...)
		c.middle = append(append(c.middle, selector...), "},"...)
		c.values.window = `,"windowSeconds":`
	}
	c.tail = append(c.tail, '}')
	return c
}

func (c *customJSON) append(dst []byte, v *Value) []byte {
	dst = append(dst, c.head...)
	if v.Namespace != "" {
		dst = append(dst, `"namespace":`...)
		dst = append(wire.AppendString(dst, v.Namespace), ',')
	}
	if v.Name != "" {
		dst = append(dst, `"name":`...)
		dst = append(wire.AppendString(dst, v.Name), ',')
	}
	dst = append(dst, c.middle...)
	dst = c.values.append(dst, v.Time, v.Window, v.Milli)
	return append(dst, c.tail...)
}
