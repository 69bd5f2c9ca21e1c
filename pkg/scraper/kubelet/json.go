// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// maxDepth is how deep JSON may be nested; a summary has seven levels.
const maxDepth = 32

// jsonReader reads JSON in one pass over its bytes, visiting what is wanted and
// skipping the rest. It is here because encoding/json turns sixteen megabytes
// of "{},{},…" into half a gigabyte of structs before anyone can count them,
// and this costs a tenth when a thousand kubelets answer at once at start.
// What it accepts is what json.Valid accepts, less what is not UTF-8 or nested
// deeper than maxDepth (FuzzJSON).
//
// A fault is remembered and ends every loop: after it, all methods return at
// once what is zero, and at is where it was found.
type jsonReader struct {
	body  []byte
	at    int
	depth int
	bad   bool
}

// document reads all of the body by read, which must take exactly one value,
// and says whether it is well formed.
func (j *jsonReader) document(read func()) bool {
	if !utf8.Valid(j.body) {
		j.fail()
		return false
	}
	read()
	if j.peek() != 0 || j.at < len(j.body) {
		j.fail()
	}
	return !j.bad
}

// object visits the members of an object; member must take exactly one value.
// null is an object without members, anything else is a fault. The key is valid
// until the next read.
func (j *jsonReader) object(member func(key []byte)) {
	if !j.open('{') {
		return
	}
	for first := true; !j.close('}', first); first = false {
		key := j.string()
		j.expect(':')
		if !j.bad {
			member(key)
		}
	}
}

// array visits the elements of an array; element must take exactly one value.
// null is an array without elements, anything else is a fault.
func (j *jsonReader) array(element func()) {
	if !j.open('[') {
		return
	}
	for first := true; !j.close(']', first); first = false {
		element()
	}
}

// open enters an object or an array. It is false for null and after a fault.
func (j *jsonReader) open(bracket byte) bool {
	if j.peek() == 'n' {
		j.word("null")
		return false
	}
	j.expect(bracket)
	if j.depth++; j.depth > maxDepth {
		j.fail()
	}
	return !j.bad
}

// close leaves an object or an array if it ends here, else it goes over the
// comma before the next member. It is true after a fault.
func (j *jsonReader) close(bracket byte, first bool) bool {
	if j.peek() == bracket {
		j.at++
		j.depth--
		return true
	}
	if !first {
		j.expect(',')
	}
	return j.bad
}

// skip takes a value of any kind.
func (j *jsonReader) skip() {
	switch c := j.peek(); c {
	case '{':
		j.object(func([]byte) { j.skip() })
	case '[':
		j.array(j.skip)
	case '"':
		j.string()
	case 't':
		j.word("true")
	case 'f':
		j.word("false")
	case 'n':
		j.word("null")
	default:
		j.number()
	}
}

// text takes a string. null is nil, anything else is a fault.
func (j *jsonReader) text() []byte {
	if j.peek() == 'n' {
		j.word("null")
		return nil
	}
	return j.string()
}

// string takes a string, which is part of the body where it has no escapes.
func (j *jsonReader) string() []byte {
	j.expect('"')
	if j.bad {
		return nil
	}
	begin := j.at
	end := bytes.IndexByte(j.body[begin:], '"')
	if end >= 0 && bytes.IndexByte(j.body[begin:begin+end], '\\') < 0 {
		end += begin
	} else if end = j.escapedEnd(begin); end < 0 {
		j.fail()
		return nil
	}
	raw := j.body[begin:end]
	for i, c := range raw {
		if c < ' ' {
			j.at = begin + i
			j.fail()
			return nil
		}
		if c == '\\' {
			return j.unescape(begin, end)
		}
	}
	j.at = end + 1
	return raw
}

// escapedEnd is where the quote is that ends the string that begins at begin,
// or -1.
func (j *jsonReader) escapedEnd(begin int) int {
	for i := begin; i < len(j.body); i++ {
		switch j.body[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// unescape leaves a string with escapes, which are rare, to encoding/json.
func (j *jsonReader) unescape(begin, end int) []byte {
	var s string
	if json.Unmarshal(j.body[begin-1:end+1], &s) != nil {
		j.fail()
		return nil
	}
	j.at = end + 1
	return []byte(s)
}

// numeral takes a number as it stands. null is nil, anything else is a fault.
func (j *jsonReader) numeral() []byte {
	if j.peek() == 'n' {
		j.word("null")
		return nil
	}
	return j.number()
}

// number takes a number as it stands.
func (j *jsonReader) number() []byte {
	j.peek()
	begin := j.at
	j.accept('-', '-')
	if !j.accept('0', '0') {
		j.digits()
	}
	if j.accept('.', '.') {
		j.digits()
	}
	if j.accept('e', 'E') {
		j.accept('+', '-')
		j.digits()
	}
	if j.bad {
		return nil
	}
	return j.body[begin:j.at]
}

// digits takes one digit or more.
func (j *jsonReader) digits() {
	begin := j.at
	for j.at < len(j.body) && '0' <= j.body[j.at] && j.body[j.at] <= '9' {
		j.at++
	}
	if j.at == begin {
		j.fail()
	}
}

// accept takes the next byte if it is a or b.
func (j *jsonReader) accept(a, b byte) bool {
	if j.bad || j.at == len(j.body) || j.body[j.at] != a && j.body[j.at] != b {
		return false
	}
	j.at++
	return true
}

// word takes the rest of one of the three words.
func (j *jsonReader) word(word string) {
	if !bytes.HasPrefix(j.body[j.at:], []byte(word)) {
		j.fail()
		return
	}
	j.at += len(word)
}

// expect goes over white space and the byte c, which must be there.
func (j *jsonReader) expect(c byte) {
	if j.peek() != c {
		j.fail()
		return
	}
	j.at++
}

// peek goes over white space and gives the next byte; 0 is the end of the body
// or a fault. A zero byte is no part of JSON outside of strings.
func (j *jsonReader) peek() byte {
	if j.bad {
		return 0
	}
	for ; j.at < len(j.body); j.at++ {
		switch c := j.body[j.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func (j *jsonReader) fail() { j.bad = true }
