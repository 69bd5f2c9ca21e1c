// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package toolchain

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestBinaryName(t *testing.T) {
	for pkg, want := range map[string]string{
		"go.etcd.io/etcd/server/v3":                              "etcd",
		"k8s.io/kubernetes/cmd/kube-apiserver":                   "kube-apiserver",
		"github.com/containerd/containerd/v2/cmd/ctr":            "ctr",
		"example.com/tool/v2":                                    "tool",
		"k8s.io/kubernetes/test/images/resource-consumer":        "resource-consumer",
		"github.com/golangci/golangci-lint/v2/cmd/golangci-lint": "golangci-lint",
	} {
		if got := binaryName(pkg); got != want {
			t.Errorf("binaryName(%q) = %q, want %q", pkg, got, want)
		}
	}
}

func TestReadManifest(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	m, err := readManifest(t.Context(), root, Kubernetes("1.37"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.tools["kube-apiserver"], "k8s.io/kubernetes/cmd/kube-apiserver"; got != want {
		t.Errorf("package of kube-apiserver = %q, want %q", got, want)
	}
	flags := strings.Join(m.buildFlags(), " ")
	for _, want := range []string{"version.gitVersion=v1.37.", "version.gitMajor=1 ", "version.gitMinor=37 "} {
		if !strings.Contains(flags, want) {
			t.Errorf("flags %q lack %q", flags, want)
		}
	}
}

func TestUnknownNames(t *testing.T) {
	_, err := Build(t.Context(), io.Discard, Kubernetes("1.2"), "kubectl")
	if err == nil || !strings.Contains(err.Error(), "kubernetes-1.37") {
		t.Errorf("unknown module: error %v does not list the known ones", err)
	}
	_, err = Build(t.Context(), io.Discard, Kwok, "kubectl")
	if err == nil || !strings.Contains(err.Error(), "it has kwok") {
		t.Errorf("unknown tool: error %v does not list the known ones", err)
	}
}

func TestCacheKey(t *testing.T) {
	keys := map[string]bool{}
	for _, parts := range [][]string{{"a", "b"}, {"ab"}, {"a", "b", ""}, {"", "a", "b"}, {"b", "a"}} {
		keys[cacheKey(parts...)] = true
	}
	if len(keys) != 5 {
		t.Errorf("5 lists of parts have %d keys", len(keys))
	}
	if !keys[cacheKey("a", "b")] {
		t.Error("equal parts have unequal keys")
	}
}

func TestCacheDirHonoursXDG(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/xdg")
	if got, err := CacheDir(); err != nil || got != "/xdg/metrics-apiserver" {
		t.Errorf("CacheDir() = %q, %v", got, err)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "/home/someone")
	if got, err := CacheDir(); err != nil || got != "/home/someone/.cache/metrics-apiserver" {
		t.Errorf("CacheDir() = %q, %v", got, err)
	}
}

func TestProgress(t *testing.T) {
	var p progress
	// Lines arrive in arbitrary pieces.
	for _, piece := range []string{
		"go: downloading k8s.io/kubernetes v1.37.0\ninternal/",
		"byteorder\nk8s.io/api/core/v1\n# k8s.io/broken\nx.go:1:2: undefined: y\nlast",
	} {
		if _, err := p.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := p.status(), "1 modules downloaded, 2 packages compiled"; got != want {
		t.Errorf("status = %q, want %q", got, want)
	}
	if got, want := p.output(), "# k8s.io/broken\nx.go:1:2: undefined: y\nlast"; got != want {
		t.Errorf("output = %q, want %q", got, want)
	}
}

func TestExplain(t *testing.T) {
	exit := errors.New("exit status 1")
	for _, c := range []struct{ output, want string }{
		{"go: go.mod requires go >= 1.26.6 (running go 1.26.0; GOTOOLCHAIN=local)", "Go is too old"},
		{"dial tcp: lookup example.invalid: no such host", "HTTPS_PROXY"},
		{"write /tmp/x: no space left on device", "disk is full"},
		{"module lookup disabled by GOPROXY=off", "GOPROXY is off"},
		{"link: signal: killed", "out of memory"},
	} {
		err := explain("build x", exit, c.output)
		if !errors.Is(err, exit) {
			t.Errorf("%q: the cause is not wrapped", c.output)
		}
		for _, want := range []string{"build x: ", c.want, c.output} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q lacks %q", err, want)
			}
		}
	}
	if got := explain("build x", exec.ErrNotFound, "").Error(); !strings.Contains(got, "no go command in PATH") {
		t.Errorf("missing go: error %q", got)
	}
	if got, want := explain("build x", exit, "x.go:1: undefined: y").Error(), "build x: exit status 1\n    x.go:1: undefined: y"; got != want {
		t.Errorf("compile error: %q, want %q", got, want)
	}
}

func TestBuildPackageReportsCompileError(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	out := filepath.Join(t.TempDir(), "bin")
	err := BuildPackage(t.Context(), io.Discard, "./no/such/package", out)
	if err == nil || !strings.Contains(err.Error(), "build ./no/such/package") {
		t.Errorf("error %v does not name the package", err)
	}
	if left, _ := filepath.Glob(out + "*"); len(left) > 0 {
		t.Errorf("a failed build left %v", left)
	}
}

func TestMissing(t *testing.T) {
	dir := t.TempDir()
	have := filepath.Join(dir, "have")
	if err := os.WriteFile(have, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	got := missing(map[string]string{"b": filepath.Join(dir, "b"), "a": filepath.Join(dir, "a"), "have": have})
	if len(got) != 2 || got[0] != "a" || got[1] != "b" {
		t.Errorf("missing = %v, want [a b]", got)
	}
}
