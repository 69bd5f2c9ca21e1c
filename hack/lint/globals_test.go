// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// TestNoGlobals refuses package-level variables outside tests: they are state
// that no constructor made and that two servers in one process would share.
// What is only ever read, by its form, is allowed: see immutable. In hack, whose
// programs are alone in their process, so is a table written out.
func TestNoGlobals(t *testing.T) {
	// "folder name" to the reason why it must be a package-level variable.
	exceptions := map[string]string{
		"pkg/api Scheme": "the registry of API types: filled once, then only read, as in every Kubernetes server",
		"pkg/api Codecs": "follows from Scheme",
	}
	tr := load(t)
	for _, f := range tr.goes {
		if f.isTest() || f.generated() {
			continue
		}
		for _, decl := range f.ast.Decls {
			vars, ok := decl.(*ast.GenDecl)
			if !ok || vars.Tok != token.VAR {
				continue
			}
			for _, spec := range vars.Specs {
				// The parser puts nothing else into a var declaration.
				spec, ok := spec.(*ast.ValueSpec)
				if !ok {
					continue
				}
				for _, name := range mutable(vars, spec) {
					if below(f.dir(), "hack") && isTable(spec) {
						continue
					}
					if exceptions[f.dir()+" "+name] == "" {
						t.Errorf("%s: %s is a package-level variable", tr.position(spec), name)
					}
				}
			}
		}
	}
}

// mutable returns the names that a spec declares and that may change.
func mutable(decl *ast.GenDecl, spec *ast.ValueSpec) []string {
	if embeds(decl.Doc) || embeds(spec.Doc) {
		return nil
	}
	var names []string
	for i, name := range spec.Names {
		var value ast.Expr
		if len(spec.Values) == len(spec.Names) {
			value = spec.Values[i]
		}
		if name.Name != "_" && !immutable(name.Name, value) {
			names = append(names, name.Name)
		}
	}
	return names
}

// immutable says whether a variable of this form is a constant in all but the
// keyword: an error to compare with, a compiled pattern, a moment, or a value
// computed at its first use.
func immutable(name string, value ast.Expr) bool {
	call, ok := value.(*ast.CallExpr)
	if !ok {
		return false
	}
	fn, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	if method, ok := fn.X.(*ast.CallExpr); ok && fn.Sel.Name == "UTC" {
		return immutable(name, method)
	}
	pkg, ok := fn.X.(*ast.Ident)
	if !ok {
		return false
	}
	switch pkg.Name + "." + fn.Sel.Name {
	case "errors.New", "fmt.Errorf":
		return strings.HasPrefix(name, "err") || strings.HasPrefix(name, "Err")
	case "regexp.MustCompile", "time.Date", "time.Unix", "sync.OnceValue", "sync.OnceValues":
		return true
	default:
		return false
	}
}

// isTable says whether all values of a spec are composite literals.
func isTable(spec *ast.ValueSpec) bool {
	for _, value := range spec.Values {
		if _, ok := value.(*ast.CompositeLit); !ok {
			return false
		}
	}
	return len(spec.Values) > 0
}

// embeds says whether a comment group has a go:embed directive.
func embeds(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}
