// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// longest is how many lines a Go file may have. Long before it, a file holds
// more than one concept.
const longest = 600

// header is how every Go file begins.
const header = "// Copyright The metrics-apiserver Authors.\n// SPDX-License-Identifier: Apache-2.0\n"

// TestHeaders checks that every Go file says whose it is and under which licence.
func TestHeaders(t *testing.T) {
	tr := load(t)
	for _, f := range tr.goes {
		text := tr.texts[f.name]
		// A build constraint may come first, as gofmt puts it there.
		if strings.HasPrefix(text, "//go:build ") {
			_, text, _ = strings.Cut(text, "\n\n")
		}
		if !f.generated() && !strings.HasPrefix(text, header) {
			t.Errorf("%s does not begin with the licence header", f.name)
		}
	}
}

// TestPackageDocs checks that every package explains itself in a doc.go, or a
// program in its main.go, and nowhere else: a comment above another file's
// package clause would be appended.
func TestPackageDocs(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range load(t).goes {
		isDoc := path.Base(f.name) == "doc.go"
		if f.ast.Name.Name == "main" && path.Base(f.name) == "main.go" && f.ast.Doc != nil {
			isDoc = true
		}
		documented[f.dir()] = documented[f.dir()] || isDoc
		if f.ast.Doc == nil {
			if isDoc {
				t.Errorf("%s has no package comment", f.name)
			}
			continue
		}
		if !isDoc {
			t.Errorf("%s: the package comment belongs in doc.go", f.name)
			continue
		}
		text := f.ast.Doc.Text()
		if f.ast.Name.Name != "main" && !strings.HasPrefix(text, "Package "+f.ast.Name.Name+" ") {
			t.Errorf("%s: the package comment does not begin with %q", f.name, "Package "+f.ast.Name.Name)
		}
		if len(strings.Fields(text)) < 10 {
			t.Errorf("%s: the package comment says next to nothing", f.name)
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no doc.go", dir)
		}
	}
}

// TestNames refuses names that say nothing. What would go there has a subject,
// and the subject is the name.
func TestNames(t *testing.T) {
	packages := []string{"util", "utils", "common", "helper", "helpers", "misc", "base", "shared", "lib"}
	files := []string{
		"types.go", "interface.go", "interfaces.go", "util.go", "utils.go", "helper.go", "helpers.go",
		"common.go", "misc.go", "const.go", "constants.go", "utils_test.go", "helpers_test.go",
	}
	for _, f := range load(t).goes {
		for dir := f.dir(); dir != "."; dir = path.Dir(dir) {
			if slices.Contains(packages, path.Base(dir)) {
				t.Errorf("%s: %s is no name for a package", f.name, path.Base(dir))
			}
		}
		if slices.Contains(packages, strings.TrimSuffix(f.ast.Name.Name, "_test")) {
			t.Errorf("%s: %s is no name for a package", f.name, f.ast.Name.Name)
		}
		if slices.Contains(files, path.Base(f.name)) {
			t.Errorf("%s: this is no name for a file", f.name)
		}
	}
}

// TestLength checks that files stay short enough to be one concept each.
func TestLength(t *testing.T) {
	// File to the reason why it cannot be two.
	exceptions := map[string]string{}
	tr := load(t)
	for _, f := range tr.goes {
		lines := strings.Count(tr.texts[f.name], "\n")
		if lines > longest && !f.generated() && exceptions[f.name] == "" {
			t.Errorf("%s has %d lines, more than %d", f.name, lines, longest)
		}
	}
}

// TestNoInit refuses init functions: they run in every program and test that
// imports the package, in an order nobody chose, and cannot return an error.
func TestNoInit(t *testing.T) {
	tr := load(t)
	for _, f := range tr.goes {
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: an init function", tr.position(fn))
			}
		}
	}
}
