// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package textparse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
)

// nameLabel is the label in which prometheus keeps a metric's name.
const nameLabel = "__name__"

// series is what both parsers say of a line.
type series struct {
	labels    string
	value     uint64 // The bits of the float64.
	timestamp string
}

// theirs is the body as prometheus reads it, until the first fault.
func theirs(body []byte) (all []series, err error) {
	parser := textparse.NewPromParser(bytes.Clone(body), labels.NewSymbolTable(), false)
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, timestamp, value := parser.Series()
		var l labels.Labels
		parser.Labels(&l)
		var pairs []string
		l.Range(func(label labels.Label) {
			// A series with white space before it is given a name with that
			// white space in it.
			if label.Name == nameLabel {
				label.Value = strings.TrimLeft(label.Value, " \t")
			}
			pairs = append(pairs, fmt.Sprintf("%s=%q", label.Name, label.Value))
		})
		slices.Sort(pairs)
		s := series{labels: strings.Join(pairs, ","), value: math.Float64bits(value)}
		if timestamp != nil {
			s.timestamp = strconv.FormatInt(*timestamp, 10)
		}
		all = append(all, s)
	}
}

// ours is the body as package exposition reads it, until the first fault.
func ours(body []byte) (all []series, err error) {
	lines := exposition.NewLines(body)
	var parsed exposition.Series
	for line, ok := lines.Next(); ok; line, ok = lines.Next() {
		if err := parsed.Parse(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", lines.Number(), err)
		}
		pairs := []string{fmt.Sprintf("%s=%q", nameLabel, parsed.Name)}
		for _, label := range parsed.Labels {
			pairs = append(pairs, fmt.Sprintf("%s=%q", label.Name, label.Value()))
		}
		slices.Sort(pairs)
		value, err := parseFloat(string(parsed.Sample.Value))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", lines.Number(), err)
		}
		s := series{labels: strings.Join(pairs, ","), value: math.Float64bits(value)}
		if parsed.Sample.HasTimestamp {
			s.timestamp = strconv.FormatInt(parsed.Sample.Timestamp, 10)
		}
		all = append(all, s)
	}
	if lines.Truncated() {
		return nil, errors.New("no line feed at the end")
	}
	return all, nil
}

// parseFloat is the value as a float64, which the product never asks for. That
// ParseUint calls a number what this does is held here too.
func parseFloat(s string) (float64, error) {
	_, exact := exposition.ParseUint([]byte(s), 0)
	if exact == exposition.ErrNumberSyntax { //nolint:errorlint // NumberErrors are constants and come unwrapped.
		return 0, exact
	}
	value, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("BUG: %q is a number for us: %w", s, err)
	}
	if math.IsNaN(value) {
		value = math.Float64frombits(0x7ff8000000000001)
	}
	return value, err
}

// mustAgree says whether the two must agree on a body: it has none of what
// package exposition documents to see differently, no comments, whose text only
// prometheus looks at, and no line beyond our bound.
func mustAgree(body []byte) bool {
	return len(body) < exposition.MaxLineBytes && !bytes.ContainsAny(body, "#\x00") && bytes.HasSuffix(body, []byte("\n"))
}

// compare fails if the two do not agree on the body.
func compare(t *testing.T, body []byte) {
	t.Helper()
	want, wantErr := theirs(body)
	got, err := ours(body)
	switch {
	case err != nil && strings.Contains(err.Error(), "BUG"):
		t.Fatalf("%q: %v", body, err)
	case err == nil && wantErr == nil:
		if !slices.Equal(got, want) {
			t.Fatalf("%q:\n got %v\nwant %v", body, got, want)
		}
	case err == nil:
		t.Fatalf("%q: taken, prometheus refuses it: %v", body, wantErr)
	case wantErr == nil:
		// A body that prometheus takes may only be refused for a name in
		// quotes or for a line feed in quotes, after which one line or the
		// next has an odd quote.
		if !quotedName(body) && !quotedLineFeed(body) {
			t.Fatalf("%q: refused with %v, prometheus takes it", body, err)
		}
	}
}

// quotedName says whether a name of a metric or label is in quotes, by cutting
// out all quoted values.
func quotedName(body []byte) bool {
	rest, _ := cutQuoted(body)
	return bytes.IndexByte(rest, '"') >= 0
}

// quotedLineFeed says whether there is a line feed in quotes.
func quotedLineFeed(body []byte) bool {
	_, quoted := cutQuoted(body)
	return bytes.IndexByte(quoted, '\n') >= 0
}

// cutQuoted splits a body into what is outside of the quoted label values, and
// all that is in quotes, names too.
func cutQuoted(body []byte) (rest, quoted []byte) {
	for i := 0; i < len(body); i++ {
		if body[i] != '"' {
			rest = append(rest, body[i])
			continue
		}
		if !bytes.HasSuffix(bytes.TrimRight(rest, " \t"), []byte("=")) {
			rest = append(rest, '"')
		}
		for i++; i < len(body) && body[i] != '"'; i++ {
			quoted = append(quoted, body[i])
			if body[i] == '\\' && i+1 < len(body) {
				i++
				quoted = append(quoted, body[i])
			}
		}
	}
	return rest, quoted
}

// TestAgree holds that both parsers read the same names, labels, values and
// timestamps from every body that both take, and that each refuses what the
// other does, less the differences that package exposition documents.
func TestAgree(t *testing.T) {
	for i, body := range recordings(t, resourceText) {
		all, err := ours(body)
		if err != nil || len(all) == 0 {
			t.Errorf("recording %d: %d series, %v", i+1, len(all), err)
		}
		compare(t, body)
	}
	for _, body := range bodies() {
		compare(t, []byte(body))
	}
}

// bodies are the corners of the format.
func bodies() []string {
	return []string{
		"a 1\n", "a 1 2\n", "a+1\n", " a\t1 \n", "a{} 1\n", "a{}1\n", "a {b=\"c\"}1 2\n", "a{b=\"c\",} 1\n", "a{b=\"c\"d=\"e\"} 1\n",
		"a{ b = \"\\\\\\\"\\n\\x}\" } NaN\n", "a{b=\"\u00e9\"} +Inf 5\n", "a{b=\"\xff\"} 1\n", "a{,} 1\n", "a{b=\"c\",,} 1\n", "a{b} 1\n", "a{b:c=\"\"} 1\n",
		"a\n", "a{\n", "1\n", "a 1 -2\n", "a 1 2 3\n", "a 1 9223372036854775807\n", "a 1 9223372036854775808\n", "a 1{\n", "a{b=\"c\"}{} 1\n",
		"a 0x1p3\n", "a 1_0\n", "a 1e400\n", "a -0\n", "a nan\n", "a -nan\n", "a infinity\n", "a .5\n", "a 5.\n", "a .\n", "a 1\r\n",
		"a 1\n\n \nb 2\n%\n", "{\"a\"} 1\n", "{\"a\",b=\"c\"} 1\n", "a{\"b\"=\"c\"} 1\n", "a{b=\"\n\"} 1\n", "a:b 1\n", ":a 1\n", "a{_=\"\"} 1\n",
	}
}

// FuzzAgree holds the same for whatever comes.
func FuzzAgree(f *testing.F) {
	for _, body := range bodies() {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if mustAgree(body) {
			compare(t, body)
		}
	})
}
