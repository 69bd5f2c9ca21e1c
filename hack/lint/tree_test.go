// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// module is the path of the main module.
const module = "github.com/metrics-apiserver/metrics-apiserver"

// root is the top of the repository, seen from this package.
const root = "../.."

// tree is the repository as the rules see it. It is read once and not changed.
type tree struct {
	fset  *token.FileSet
	files []string          // Every text file, relative to root, slashes.
	texts map[string]string // Their contents.
	goes  []goFile          // The Go files among them, parsed.
}

// goFile is one Go file.
type goFile struct {
	name string // Relative to root, slashes.
	ast  *ast.File
}

// dir is the directory of the file, relative to root.
func (f goFile) dir() string { return path.Dir(f.name) }

// isTest says whether go build ignores the file.
func (f goFile) isTest() bool { return strings.HasSuffix(f.name, "_test.go") }

// imports returns the import paths of the file.
func (f goFile) imports() []string {
	paths := make([]string, 0, len(f.ast.Imports))
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic("BUG: the parser let an import path through that is no string: " + spec.Path.Value)
		}
		paths = append(paths, p)
	}
	return paths
}

// generated says whether a tool wrote the file; such files are not ours to shape.
func (f goFile) generated() bool { return ast.IsGenerated(f.ast) }

// load reads the repository. The result is shared by all tests.
func load(t *testing.T) *tree {
	t.Helper()
	tr, err := loadOnce()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

var loadOnce = sync.OnceValues(func() (*tree, error) {
	tr := &tree{fset: token.NewFileSet(), texts: map[string]string{}}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if entry.IsDir() {
			if skipDir(name) {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || name == ".git" { // In a linked worktree it is a file.
			return nil
		}
		return tr.add(name, file)
	})
	return tr, err
})

// skipDir leaves out what is not source: build output, version control, and
// recorded inputs, which are as their makers wrote them.
func skipDir(name string) bool {
	base := path.Base(name)
	if name == ".ci" {
		return false
	}
	return base == "testdata" || name != "." && (base[0] == '.' || base[0] == '_')
}

// add reads one file into the tree. Files with a NUL byte are binary and left out.
func (tr *tree) add(name, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if slices.Contains(text, 0) {
		return nil
	}
	tr.files = append(tr.files, name)
	tr.texts[name] = string(text)
	if path.Ext(name) != ".go" {
		return nil
	}
	parsed, err := parser.ParseFile(tr.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	tr.goes = append(tr.goes, goFile{name, parsed})
	return nil
}

// position is file:line of a node, for messages.
func (tr *tree) position(node ast.Node) string {
	p := tr.fset.Position(node.Pos())
	return p.Filename + ":" + strconv.Itoa(p.Line)
}

// below says whether name is dir or inside it.
func below(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, dir+"/")
}
