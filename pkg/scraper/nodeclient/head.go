// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"bytes"
	"strings"
)

// head is what matters of the status line and the header of a good answer.
type head struct {
	// length is that of the body as it comes, or -1 where the body is chunked.
	length int64
	// date is as it is written, and borrowed.
	date []byte
	// encoding is the body's: empty, identity or gzip.
	encoding string
	// last says that the node closes the connection after this answer.
	last bool
}

// parseHead reads a head off the beginning of data and says how long it is. It
// knows the form in which nearly all answers come and nothing else: where ok is
// false, the answer may be good or bad, and net/http decides. So it is strict:
// status 200, lines that end in CR LF, one space behind each colon, printable
// ASCII only, names of fields with a meaning in their usual case and once at
// most, and exactly one of a length and chunks.
func parseHead(data []byte) (h head, size int, ok bool) {
	const statusLine, endOfHead = "HTTP/1.1 200 OK\r\n", "\r\n\r\n"
	end := bytes.Index(data, []byte(endOfHead))
	if end < len(statusLine) || string(data[:len(statusLine)]) != statusLine {
		return head{}, 0, false
	}
	h.length = -1
	var seen fields
	// Each line with its CR LF, without the empty one.
	for rest := data[len(statusLine) : end+2]; len(rest) > 0; {
		stop := bytes.IndexByte(rest, '\n')
		if stop < 1 || rest[stop-1] != '\r' {
			return head{}, 0, false
		}
		name, value, ok := cutField(rest[:stop-1])
		if !ok || !h.set(&seen, name, value) {
			return head{}, 0, false
		}
		rest = rest[stop+1:]
	}
	if seen&(fieldLength|fieldChunked) == 0 || seen&(fieldLength|fieldChunked) == fieldLength|fieldChunked {
		return head{}, 0, false
	}
	return h, end + len(endOfHead), true
}

// fields is a set of the fields that mean something.
type fields uint8

const (
	fieldLength fields = 1 << iota
	fieldChunked
	fieldEncoding
	fieldConnection
	fieldDate
)

// set takes over one field. It is false where the field is not in its usual
// form, or was there before.
func (h *head) set(seen *fields, name, value []byte) bool {
	var field fields
	ok := true
	switch string(name) {
	case "Content-Length":
		field = fieldLength
		h.length, ok = parseLength(value)
	case "Transfer-Encoding":
		field = fieldChunked
		ok = string(value) == "chunked"
	case "Content-Encoding":
		field = fieldEncoding
		switch string(value) {
		case "gzip":
			h.encoding = "gzip"
		case "identity":
			h.encoding = "identity"
		default:
			ok = false
		}
	case "Connection":
		field = fieldConnection
		h.last = string(value) == "close"
		ok = h.last || string(value) == "keep-alive"
	case "Date":
		field = fieldDate
		h.date = value
	default:
		return !hasMeaning(name)
	}
	if *seen&field != 0 {
		return false
	}
	*seen |= field
	return ok
}

// hasMeaning says whether a field would change how the answer is read, in any
// case of its letters.
func hasMeaning(name []byte) bool {
	switch len(name) {
	case len("Date"), len("Trailer"), len("Connection"), len("Content-Length"), len("Content-Encoding"), len("Transfer-Encoding"):
	default:
		return false
	}
	for _, known := range [...]string{"Date", "Trailer", "Connection", "Content-Length", "Content-Encoding", "Transfer-Encoding"} {
		if len(known) == len(name) && strings.EqualFold(known, string(name)) {
			return true
		}
	}
	return false
}

// cutField takes a line apart: a name of letters, digits and hyphens, a colon, a
// space, and a value of printable ASCII that neither begins nor ends in a space.
func cutField(line []byte) (name, value []byte, ok bool) {
	colon := bytes.IndexByte(line, ':')
	if colon < 1 || len(line) < colon+3 || line[colon+1] != ' ' {
		return nil, nil, false
	}
	name, value = line[:colon], line[colon+2:]
	for _, c := range name {
		if !isLetterOrDigit(c) && c != '-' {
			return nil, nil, false
		}
	}
	for _, c := range value {
		if c < ' ' || c > '~' {
			return nil, nil, false
		}
	}
	return name, value, value[0] != ' ' && value[len(value)-1] != ' '
}

// isLetterOrDigit is of ASCII.
func isLetterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// parseLength reads a decimal number that cannot overflow.
func parseLength(text []byte) (n int64, ok bool) {
	const maxDigits = 18
	if len(text) == 0 || len(text) > maxDigits {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
