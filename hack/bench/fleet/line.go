// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import "strconv"

// line is one series of the text format, with its line feed. What identifies it
// stays; value and time are rendered when there is a new sample.
type line struct {
	text  []byte
	fixed int // how much of the text is name and labels
}

// newLine is a line without a value. The labels have their braces, or are
// empty.
func newLine(name, labels string) line {
	text := append([]byte(name+labels), ' ')
	return line{text: text, fixed: len(text)}
}

// set renders a value and its time in milliseconds.
func (l *line) set(value float64, at int64) {
	l.text = appendNumber(l.text[:l.fixed], value)
	l.text = append(l.text, ' ')
	l.text = strconv.AppendInt(l.text, at, 10)
	l.text = append(l.text, '\n')
}

// setUntimed renders a value that has no time.
func (l *line) setUntimed(value float64) {
	l.text = append(appendNumber(l.text[:l.fixed], value), '\n')
}

// appendNumber writes a number as the Prometheus library does.
func appendNumber(dst []byte, value float64) []byte {
	return strconv.AppendFloat(dst, value, 'g', -1, 64)
}

// seconds is a number of nanoseconds as the kubelet turns it into seconds.
func seconds(nanos uint64) float64 { return float64(nanos) / 1e9 }
