// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package exposition

import "bytes"

// Lines goes through the lines of a body.
type Lines struct {
	body []byte
	// next is where the next line begins, start where the current one does.
	next, start int
	number      int
	truncated   bool
}

// NewLines is before the first line of body, which it reads and never writes.
func NewLines(body []byte) Lines { return Lines{body: body} }

// Next is the next line that is neither blank nor a comment, without its line
// feed and the white space before it; it is never empty. ok is false at the end
// of the body.
func (l *Lines) Next() (line []byte, ok bool) {
	for l.next < len(l.body) {
		rest := l.body[l.next:]
		end := bytes.IndexByte(rest, '\n')
		l.number++
		l.start = l.next
		if end < 0 {
			l.next = len(l.body)
			l.truncated = true
			return nil, false
		}
		l.next += end + 1
		line = skipSpace(rest[:end])
		if len(line) > 0 && line[0] != '#' {
			return line, true
		}
	}
	return nil, false
}

// Rest is the body from where the next line begins. Who knows how long that is, and that
// it is neither blank nor a comment, passes it.
func (l *Lines) Rest() []byte { return l.body[l.next:] }

// Pass goes over a line of that size, its line feed included, as Next would.
func (l *Lines) Pass(size int) {
	l.number++
	l.start = l.next
	l.next += size
}

// Truncated says, after Next said that there are no more lines, that the body
// goes on without a line feed behind the last of them. That rest, be it a
// comment, is not a line and is never returned.
func (l *Lines) Truncated() bool { return l.truncated }

// Number is the current line's number, counted from 1, blank lines and comments
// included.
func (l *Lines) Number() int { return l.number }

// Offset is where in the body the current line begins.
func (l *Lines) Offset() int { return l.start }

// skipSpace is b without the blanks and tabs that it begins with.
func skipSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}
