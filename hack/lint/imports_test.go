// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// TestTopLevel holds the set of top-level folders, and of the product's three
// subtrees, which is what the import rules are written for.
func TestTopLevel(t *testing.T) {
	want := map[string][]string{
		".":   {".ci", "cmd", "docs", "hack", "manifests", "pkg", "test"},
		"cmd": {"metrics-apiserver"},
		"pkg": {"api", "scraper", "storage"},
	}
	for _, name := range load(t).files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			allowed, ok := want[path.Dir(dir)]
			if ok && !slices.Contains(allowed, path.Base(dir)) {
				t.Errorf("%s: a new folder in %s/ needs a place in ARCHITECTURE.md, and then here", name, path.Dir(dir))
			}
		}
	}
}

// TestImportDirection keeps the product a tree: storage is the leaf, scraper and
// api stand on it and know nothing of each other, and only cmd sees both. So
// each can be read, tested and replaced alone.
func TestImportDirection(t *testing.T) {
	// A folder may import, of this module, only what is listed here.
	rules := []struct {
		dir string
		may []string
	}{
		{"pkg/storage", []string{"pkg/storage"}},
		{"pkg/scraper", []string{"pkg/scraper", "pkg/storage"}},
		{"pkg/api", []string{"pkg/api", "pkg/storage"}},
		{"cmd", []string{"cmd", "pkg"}},
		{"hack", []string{"cmd", "pkg", "hack"}},
		{"test", []string{"cmd", "pkg", "hack", "test"}},
	}
	for _, f := range load(t).goes {
		covered := false
		for _, rule := range rules {
			if !below(f.dir(), rule.dir) {
				continue
			}
			covered = true
			for _, imported := range f.imports() {
				dir, ours := strings.CutPrefix(imported, module+"/")
				if ours && !slices.ContainsFunc(rule.may, func(may string) bool { return below(dir, may) }) {
					t.Errorf("%s imports %s; %s may import only %v", f.name, dir, rule.dir, rule.may)
				}
			}
		}
		if !covered {
			t.Errorf("%s is in a folder that has no import rule", f.name)
		}
	}
}

// TestStorageStandsAlone keeps Kubernetes, and everything else with a release
// schedule of its own, out of the store and the vocabulary that all others share:
// they must outlive all of them. Below, a package may stand on one thing.
func TestStorageStandsAlone(t *testing.T) {
	// Folder and import path to the reason why the standard library has nothing for
	// it.
	exceptions := map[string]string{
		"pkg/storage/history github.com/VictoriaMetrics/fastcache":         "memory outside of Go's heap that is bounded, and overwrites its oldest",
		"pkg/storage/remotewrite/message github.com/klauspost/compress/s2": "the snappy blocks of remote-write's protocol; it imports nothing itself",
	}
	for _, f := range load(t).goes {
		if !below(f.dir(), "pkg/storage") || f.isTest() {
			continue
		}
		for _, imported := range f.imports() {
			first, _, _ := strings.Cut(imported, "/")
			standard := !strings.Contains(first, ".")
			if !standard && !below(imported, module) && exceptions[f.dir()+" "+imported] == "" {
				t.Errorf("%s imports %s; pkg/storage imports the standard library only, but for what is listed", f.name, imported)
			}
		}
	}
}

// TestTestingStaysInTests keeps the testing package, and the flags it registers,
// out of the binary. Packages named …test are only imported by tests.
func TestTestingStaysInTests(t *testing.T) {
	for _, f := range load(t).goes {
		if f.isTest() || !below(f.dir(), "pkg") && !below(f.dir(), "cmd") {
			continue
		}
		if strings.HasSuffix(f.ast.Name.Name, "test") {
			continue
		}
		for _, imported := range f.imports() {
			switch {
			case imported == "testing", imported == "testing/synctest", imported == "net/http/httptest":
				t.Errorf("%s imports %s outside a test", f.name, imported)
			case below(imported, module) && strings.HasSuffix(imported, "test"):
				t.Errorf("%s imports the test package %s", f.name, imported)
			}
		}
	}
}

// TestRootModule keeps the main module usable with go install, which refuses a
// module that replaces its requirements, and free of what only tools need.
func TestRootModule(t *testing.T) {
	for line := range strings.Lines(load(t).texts["go.mod"]) {
		fields := strings.Fields(line)
		if len(fields) > 0 && (fields[0] == "replace" || fields[0] == "exclude") {
			t.Errorf("go.mod: %s", line)
		}
		for _, tool := range []string{"k8s.io/kubernetes", "sigs.k8s.io/kustomize", "github.com/golangci"} {
			if strings.Contains(line, tool) {
				t.Errorf("go.mod: %s belongs in a module under hack", strings.TrimSpace(line))
			}
		}
	}
}
