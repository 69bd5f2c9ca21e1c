// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package toolchain

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// maxLines bounds how much of the go command's output an error quotes.
const maxLines = 15

// explain turns a failure of the go command into an error that names what is
// missing on the machine, where its output tells, and quotes the output.
func explain(doing string, err error, output string) error {
	if hint := hintFor(err, output); hint != "" {
		err = fmt.Errorf("%s: %w", hint, err)
	}
	if output = lastLines(output, maxLines); output != "" {
		return fmt.Errorf("%s: %w\n%s", doing, err, output)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// hints are tried in order. The first whose text is part of the output wins.
var hints = []struct {
	text string
	hint string
}{
	{"requires go >=", "the installed Go is too old: install the Go version named below, or let Go fetch it with GOTOOLCHAIN=auto"},
	{"invalid go version", "the installed Go is too old: install Go 1.26 or newer"},
	{"toolchain not available", "the installed Go is too old and the newer toolchain cannot be fetched: install the Go version named below"},
	{"no space left on device", "the disk is full: building needs about 8 GB in Go's caches (go env GOCACHE GOMODCACHE)"},
	{"disk quota exceeded", "the disk quota is used up: building needs about 8 GB in Go's caches (go env GOCACHE GOMODCACHE)"},
	{"GOPROXY=off", "modules must be downloaded and GOPROXY is off"},
	{"checksum mismatch", "a downloaded module is not the one that go.sum pins: check the module proxy in use (go env GOPROXY)"},
	{"x509:", networkHint},
	{"dial tcp", networkHint},
	{"proxyconnect", networkHint},
	{"no such host", networkHint},
	{"i/o timeout", networkHint},
	{"TLS handshake", networkHint},
	{"connection refused", networkHint},
	{"connection reset", networkHint},
	{"unrecognized import path", networkHint},
	{"cannot allocate memory", memoryHint},
	{"signal: killed", memoryHint},
}

const (
	networkHint = "modules cannot be downloaded: check the network, HTTPS_PROXY and go env GOPROXY"
	memoryHint  = "a compiler or linker ran out of memory: 4 GB free are enough"
)

// hintFor returns what is missing on the machine, or "" if the failure has no
// known cause.
func hintFor(err error, output string) string {
	if errors.Is(err, exec.ErrNotFound) {
		return "there is no go command in PATH: install Go 1.26 or newer"
	}
	text := output + "\n" + err.Error()
	for _, h := range hints {
		if strings.Contains(text, h.text) {
			return h.hint
		}
	}
	return ""
}

// stderrOf returns what a command run by exec.Cmd.Output wrote to its standard
// error.
func stderrOf(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(exit.Stderr)
	}
	return ""
}

// lastLines returns the last n lines of s, indented.
func lastLines(s string, n int) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	lines := strings.Split(s, "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "    " + strings.Join(lines, "\n    ")
}
