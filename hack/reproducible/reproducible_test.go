// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package reproducible

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

// cold compiles everything for the second build anew: go test -cold.
var cold = flag.Bool("cold", false, "compile everything twice, for minutes")

// TestTwoBuilds builds the server in two folders of different names and lengths,
// as different users would, and compares the bytes.
func TestTwoBuilds(t *testing.T) {
	if testing.Short() {
		t.Skip("links the server twice")
	}
	root, err := toolchain.Root()
	if err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(t.TempDir(), "a")
	long := filepath.Join(t.TempDir(), "some", "much longer path", "to the checkout")
	first := build(t, root, short, "USER=one")
	env := []string{"USER=two", "LC_ALL=C.UTF-8", "TZ=Asia/Tokyo"}
	if *cold {
		env = append(env, "GOCACHE="+t.TempDir())
	}
	second := build(t, root, long, env...)
	if !bytes.Equal(first, second) {
		t.Errorf("two builds differ: sha256 %x and %x, %d and %d bytes", sha256.Sum256(first), sha256.Sum256(second), len(first), len(second))
	}
	for _, trace := range []string{short, long, root} {
		if bytes.Contains(first, []byte(trace)) || bytes.Contains(second, []byte(trace)) {
			t.Errorf("the binary has the path %s", trace)
		}
	}
	t.Logf("sha256 %x, %d bytes, twice", sha256.Sum256(first), len(first))
}

// build copies the source from root to dir, runs make there, and returns the
// binary.
func build(t *testing.T, root, dir string, env ...string) []byte {
	t.Helper()
	for _, tree := range []string{"cmd", "pkg"} {
		if err := os.CopyFS(filepath.Join(dir, tree), os.DirFS(filepath.Join(root, tree))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"go.mod", "go.sum", "Makefile"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), "make", "build", "VERSION=v0.0.0-reproducible")
	command.Dir = dir
	command.Env = append(append(os.Environ(), "GOFLAGS=-mod=readonly"), env...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("make build: %w\n%s", err, out))
	}
	binary, err := os.ReadFile(filepath.Join(dir, "bin", "metrics-apiserver"))
	if err != nil {
		t.Fatal(err)
	}
	return binary
}
