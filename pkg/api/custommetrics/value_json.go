// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"strconv"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// listEnd ends a list in JSON.
const listEnd = "]}\n"

// appendListStart is what comes before a list's items in JSON.
func appendListStart(dst []byte, kind, version string) []byte {
	dst = append(dst, `{"kind":"`...)
	dst = append(dst, kind...)
	dst = append(dst, `","apiVersion":"`...)
	dst = append(dst, version...)
	return append(dst, `","metadata":{},"items":[`...)
}

// windowSeconds is a window as it is served, in whole seconds. That of a rate is
// never 0, which stands for a gauge.
func windowSeconds(window storage.Millis) int64 {
	if window <= 0 {
		return 0
	}
	return max(1, int64(window/1000+(window%1000)/500))
}

// jsonValues writes what the items of all kinds of lists have: when, over how
// long, and how much.
type jsonValues struct {
	// window is the key of the window, which differs, with what is around it.
	window string
	// time is the last moment, in seconds, in both forms: many values were
	// sampled in one second.
	time struct {
		of   storage.Millis
		text []byte
	}
}

// append appends the fields timestamp, window and value.
func (j *jsonValues) append(dst []byte, time, window storage.Millis, milli int64) []byte {
	dst = append(dst, `"timestamp":`...)
	if second := time / 1000; time <= 0 {
		dst = wire.AppendTime(dst, time)
	} else {
		if second != j.time.of || j.time.text == nil {
			j.time.of, j.time.text = second, wire.AppendTime(j.time.text[:0], time)
		}
		dst = append(dst, j.time.text...)
	}
	dst = append(dst, j.window...)
	dst = strconv.AppendInt(dst, windowSeconds(window), 10)
	dst = append(dst, `,"value":"`...)
	dst = wire.AppendMilli(dst, milli)
	return append(dst, '"')
}
