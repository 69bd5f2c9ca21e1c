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

// TestForeignBytes holds the list of fuzz targets against those there are, and
// that each has a corpus.
func TestForeignBytes(t *testing.T) {
	root := checkout(t)
	listed := map[Test]bool{}
	for _, foreign := range ForeignBytes() {
		for _, target := range foreign.Targets {
			if listed[target] {
				t.Errorf("%s in %s is listed twice", target.Name, target.Dir)
			}
			listed[target] = true
		}
	}
	check := func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if entry.Name() == "testdata" {
			return filepath.SkipDir
		}
		for _, name := range testsIn(t, dir) {
			if !strings.HasPrefix(name, "Fuzz") {
				continue
			}
			rel, err := filepath.Rel(root, dir)
			if err != nil {
				return err
			}
			target := Test{filepath.ToSlash(rel), name}
			if !listed[target] {
				t.Errorf("%s in %s is not listed: say whose bytes it reads", name, target.Dir)
			}
			delete(listed, target)
			if !hasCorpus(t, dir, name) {
				t.Errorf("%s in %s has no corpus", name, target.Dir)
			}
		}
		return nil
	}
	for _, tree := range []string{"cmd", "pkg"} {
		if err := filepath.WalkDir(filepath.Join(root, tree), check); err != nil {
			t.Fatal(err)
		}
	}
	for target := range listed {
		t.Errorf("there is no %s in %s", target.Name, target.Dir)
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
