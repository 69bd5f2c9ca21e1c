// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package exposition

import (
	"bytes"
	"unicode/utf8"
)

// MaxLineBytes is the longest line that Series.Parse takes, 64 KiB less one, so
// that a place in a line fits 16 bits.
const MaxLineBytes = 1<<16 - 1

// Series is one parsed line, and the parser of it. The zero value is ready; use
// one for many lines, so that Labels is allocated once.
type Series struct {
	// MaxLabels is the largest number of labels that is accepted; 0 is no
	// bound but the line's length.
	MaxLabels int

	// Text is the series as it stands, from the name to the closing brace.
	Text []byte
	// Name is the metric's name.
	Name []byte
	// Labels are the labels in the order in which they stand. Names may occur
	// twice; that is for the reader to refuse.
	Labels []Label
	// Sample is the value and the timestamp.
	Sample Sample
}

// Label is one label of a series.
type Label struct {
	Name []byte
	// Raw is the value as it stands between the quotes, which is valid UTF-8.
	Raw []byte
	// Escaped says that Raw has escapes in it.
	Escaped bool
}

// Value is the label's value. It is Raw itself where there are no escapes, else
// newly allocated.
func (l Label) Value() []byte {
	if !l.Escaped {
		return l.Raw
	}
	return appendUnescaped(make([]byte, 0, len(l.Raw)), l.Raw)
}

// AppendValue appends the label's value to dst.
func (l Label) AppendValue(dst []byte) []byte {
	if !l.Escaped {
		return append(dst, l.Raw...)
	}
	return appendUnescaped(dst, l.Raw)
}

// appendUnescaped appends raw with \\, \" and \n replaced. Any other escape is
// no escape and stays as it is.
func appendUnescaped(dst, raw []byte) []byte {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '\\' && i+1 < len(raw) {
			switch raw[i+1] {
			case '\\', '"':
				i++
				c = raw[i]
			case 'n':
				i++
				c = '\n'
			}
		}
		dst = append(dst, c)
	}
	return dst
}

// Parse reads one line, without its line feed and without white space before
// it, as Lines gives it. What it returns is a SyntaxError; after one, all that
// Series holds is undefined.
func (s *Series) Parse(line []byte) error {
	if len(line) > MaxLineBytes {
		return SyntaxError{Fault: FaultTooLong, At: MaxLineBytes}
	}
	at := nameLength(line)
	if at == 0 {
		if len(line) > 0 && (line[0] == '{' || line[0] == '"') {
			return SyntaxError{Fault: FaultQuotedName}
		}
		return SyntaxError{Fault: FaultName}
	}
	s.Name = line[:at]
	s.Labels = s.Labels[:0]
	if brace := len(line) - len(skipSpace(line[at:])); brace < len(line) && line[brace] == '{' {
		var err error
		if at, err = s.parseLabels(line, brace+1); err != nil {
			return err
		}
	}
	s.Text = line[:at]

	var err error
	s.Sample, err = parseSample(line, at)
	return err
}

// parseLabels reads what follows the opening brace, which ends at line[at], and
// gives where the closing brace ends.
func (s *Series) parseLabels(line []byte, at int) (int, error) {
	for {
		at = len(line) - len(skipSpace(line[at:]))
		if at < len(line) && line[at] == '}' {
			return at + 1, nil
		}
		var label Label
		var err error
		if label, at, err = parseLabel(line, at); err != nil {
			return 0, err
		}
		if s.MaxLabels > 0 && len(s.Labels) == s.MaxLabels {
			return 0, SyntaxError{Fault: FaultTooManyLabels, At: at}
		}
		s.Labels = append(s.Labels, label)

		// A comma may follow the last label and, as prometheus has it, may be
		// left out between two.
		at = len(line) - len(skipSpace(line[at:]))
		if at < len(line) && line[at] == ',' {
			at++
		}
	}
}

// parseLabel reads one name="value" at line[at:] and gives where it ends.
func parseLabel(line []byte, at int) (Label, int, error) {
	begin := at
	for at < len(line) && isNameByte(line[at]) && line[at] != ':' && (at > begin || !isDigit(line[at])) {
		at++
	}
	if at == begin {
		if at < len(line) && line[at] == '"' {
			return Label{}, 0, SyntaxError{Fault: FaultQuotedName, At: at}
		}
		return Label{}, 0, SyntaxError{Fault: FaultLabelName, At: at}
	}
	label := Label{Name: line[begin:at]}

	at = len(line) - len(skipSpace(line[at:]))
	if at == len(line) || line[at] != '=' {
		return Label{}, 0, SyntaxError{Fault: FaultEqual, At: at}
	}
	at = len(line) - len(skipSpace(line[at+1:]))
	if at == len(line) || line[at] != '"' {
		return Label{}, 0, SyntaxError{Fault: FaultLabelValue, At: at}
	}
	at++
	length, escaped, ok := quotedLength(line[at:])
	if !ok {
		return Label{}, 0, SyntaxError{Fault: FaultLabelValue, At: len(line)}
	}
	label.Raw, label.Escaped = line[at:at+length], escaped
	if !utf8.Valid(label.Raw) {
		return Label{}, 0, SyntaxError{Fault: FaultUTF8, At: at}
	}
	return label, at + length + 1, nil
}

// quotedLength is the number of bytes of b before the quote that ends the
// value; ok is false where there is none.
func quotedLength(b []byte) (n int, escaped, ok bool) {
	n = bytes.IndexByte(b, '"')
	if n < 0 {
		return 0, false, false
	}
	if bytes.IndexByte(b[:n], '\\') < 0 {
		return n, false, true
	}
	for n = 0; n < len(b); n++ {
		switch b[n] {
		case '\\':
			n++
		case '"':
			return n, true, true
		}
	}
	return 0, false, false
}

// Name is the metric's name that line begins with, without a look at anything
// behind it; it is empty where there is none. It is for who wants to skip the
// lines of families that do not matter.
func Name(line []byte) []byte { return line[:nameLength(line)] }

// nameLength is the length of the metric's name that b begins with.
func nameLength(b []byte) int {
	if len(b) == 0 || isDigit(b[0]) {
		return 0
	}
	for i, c := range b {
		if !isNameByte(c) {
			return i
		}
	}
	return len(b)
}

// isNameByte says whether c may stand in a metric's name. A label's name has no
// colon, and neither begins with a digit.
func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || isDigit(c) || c == ':'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
