// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package toolchain

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// maxKept bounds the output of go build that is kept for an error message.
const maxKept = 64 << 10

// progress reads what `go build -v` writes to its standard error: it counts
// downloads and compiled packages, and keeps all other lines for the error.
// It is an io.Writer; its methods are safe for concurrent use.
type progress struct {
	mu struct {
		sync.Mutex
		partial    []byte // the last, unfinished line
		downloaded int
		compiled   int
		kept       []byte
	}
}

// Write takes the next bytes; it never fails.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.partial = append(p.mu.partial, b...)
	for {
		line, rest, found := bytes.Cut(p.mu.partial, []byte("\n"))
		if !found {
			return len(b), nil
		}
		p.lineLocked(string(line))
		p.mu.partial = rest
	}
}

func (p *progress) lineLocked(line string) {
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		p.mu.downloaded++
	case isPackagePath(line):
		p.mu.compiled++
	case len(p.mu.kept)+len(line) < maxKept:
		p.mu.kept = append(append(p.mu.kept, line...), '\n')
	}
}

// isPackagePath reports whether the line is one that -v prints for a package:
// an import path alone. A compiler's error always has a space or a colon.
func isPackagePath(line string) bool {
	return line != "" && !strings.ContainsAny(line, " :#\t")
}

// status describes the work done so far.
func (p *progress) status() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.downloaded == 0 {
		return fmt.Sprintf("%d packages compiled", p.mu.compiled)
	}
	return fmt.Sprintf("%d modules downloaded, %d packages compiled", p.mu.downloaded, p.mu.compiled)
}

// output returns the kept lines, the unfinished one included.
func (p *progress) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.TrimSpace(string(p.mu.kept) + string(p.mu.partial))
}
