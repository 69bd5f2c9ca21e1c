// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package textparse

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is recorded of a kubelet, by the names of the files.
const (
	resourceText = "metrics-resource.txt"
	cadvisorText = "metrics-cadvisor.txt.gz"
)

// recordings are a kubelet's recorded answers of one kind, in their order.
func recordings(t testing.TB, name string) [][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "pkg", "scraper", "kubelet", "testdata", "*", name))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recordings of %s: %v", name, err)
	}
	var bodies [][]byte
	for _, path := range paths {
		body, err := read(path)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	return bodies
}

// read is a file's content, unpacked.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !strings.HasSuffix(path, ".gz") {
		return io.ReadAll(f)
	}
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unpacked)
}
