// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"io"
	"os"
	"strings"
)

const (
	// tailLines and tailBytes bound what an error quotes of a log.
	tailLines = 20
	tailBytes = 32 << 10
	// tailWidth bounds one quoted line: components log whole objects.
	tailWidth = 600
)

// tailOf returns the last lines of the file that begin at or after the offset
// start, indented, or "" if there are none.
func tailOf(file string, start int64) string {
	f, err := os.Open(file)
	if err != nil {
		return "    (" + err.Error() + ")"
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "    (" + err.Error() + ")"
	}
	cut := info.Size()-tailBytes > start
	if cut {
		start = info.Size() - tailBytes
	}
	b, err := io.ReadAll(io.NewSectionReader(f, start, tailBytes))
	if err != nil {
		return "    (" + err.Error() + ")"
	}
	text := strings.TrimRight(string(b), "\n")
	if cut {
		// The first line is most likely a part of one.
		_, text, _ = strings.Cut(text, "\n")
	}
	if text == "" {
		return ""
	}
	lines := strings.Split(text, "\n")
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	for i, line := range lines {
		if len(line) > tailWidth {
			line = line[:tailWidth] + "..."
		}
		lines[i] = "    " + line
	}
	return strings.Join(lines, "\n")
}
