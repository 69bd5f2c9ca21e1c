// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package exposition

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	body := "\n# HELP a b\na 1\n \t\n \tb 2 \n#\n\r\nc 3\n"
	want := []string{`3@12 "a 1"`, `5@19 "b 2 "`, `7@28 "\r"`, `8@30 "c 3"`}
	if got, truncated := readLines(body); !slices.Equal(got, want) || truncated {
		t.Errorf("got %q, truncated %v; want %q", got, truncated, want)
	}
	for body, want := range map[string]bool{"": false, "\n": false, "a 1": true, "a 1\nb": true, "a 1\n#": true, "a 1\n ": true, "a 1\n\n": false} {
		if _, got := readLines(body); got != want {
			t.Errorf("%q is truncated: %v, want %v", body, got, want)
		}
	}
}

// readLines is all lines as number@offset "text".
func readLines(body string) (all []string, truncated bool) {
	lines := NewLines([]byte(body))
	for line, ok := lines.Next(); ok; line, ok = lines.Next() {
		all = append(all, fmt.Sprintf("%d@%d %q", lines.Number(), lines.Offset(), line))
	}
	return all, lines.Truncated()
}

// FuzzLines compares with strings.Split.
func FuzzLines(f *testing.F) {
	for _, body := range []string{"", "\n\n", "a 1\n# b\n \t#\n\t c 2\n", "a 1", "a{b=\"\n\"} 1\n"} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var want []string
		parts := strings.Split(body, "\n")
		offset := 0
		for i, part := range parts[:len(parts)-1] {
			if text := strings.TrimLeft(part, " \t"); text != "" && text[0] != '#' {
				want = append(want, fmt.Sprintf("%d@%d %q", i+1, offset, text))
			}
			offset += len(part) + 1
		}
		got, truncated := readLines(body)
		if !slices.Equal(got, want) || truncated != (parts[len(parts)-1] != "") {
			t.Fatalf("got %q, truncated %v; want %q", got, truncated, want)
		}
	})
}
