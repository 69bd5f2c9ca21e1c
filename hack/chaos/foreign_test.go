// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestForeignBytes holds that every package with fuzz targets says whose bytes it
// reads, that the packages which are said to have some do, and that every target
// has a corpus.
func TestForeignBytes(t *testing.T) {
	root := checkout(t)
	targets := map[string]int{} // by the package's folder
	for _, foreign := range ForeignBytes() {
		for _, dir := range foreign.Dirs {
			targets[dir] = 0
		}
	}
	check := func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if entry.Name() == "testdata" {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(root, dir)
		if err != nil {
			return err
		}
		for _, name := range testsIn(t, dir) {
			if !strings.HasPrefix(name, "Fuzz") {
				continue
			}
			if _, listed := targets[filepath.ToSlash(rel)]; !listed {
				t.Errorf("%s in %s: the package is not listed; say whose bytes it reads", name, rel)
			}
			targets[filepath.ToSlash(rel)]++
			if !hasCorpus(t, dir, name) {
				t.Errorf("%s in %s has no corpus", name, rel)
			}
		}
		return nil
	}
	for _, tree := range []string{"cmd", "pkg"} {
		if err := filepath.WalkDir(filepath.Join(root, tree), check); err != nil {
			t.Fatal(err)
		}
	}
	for dir, n := range targets {
		if n == 0 {
			t.Errorf("there is no fuzz target in %s", dir)
		}
	}
}

// hasCorpus is whether a target adds seeds, or has files with some.
func hasCorpus(t *testing.T, dir, name string) bool {
	t.Helper()
	if entries, err := os.ReadDir(filepath.Join(dir, "testdata", "fuzz", name)); err == nil && len(entries) > 0 {
		return true
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, body, ok := strings.Cut(string(text), "func "+name+"(")
		body, _, _ = strings.Cut(body, "\n}\n")
		// Seeds may come from a function that is handed f.
		return ok && (strings.Contains(body, "f.Add(") || strings.Contains(body, "(f)") || strings.Contains(body, "(f, "))
	})
}
