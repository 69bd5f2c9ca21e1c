// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// TestPanics checks that the product panics only to report a bug of its own,
// and says so: no input, however broken, may end the server.
func TestPanics(t *testing.T) {
	tr := load(t)
	for _, f := range tr.goes {
		if f.isTest() || f.generated() || !below(f.dir(), "pkg") && !below(f.dir(), "cmd") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			fn, ok := call.Fun.(*ast.Ident)
			if ok && fn.Name == "panic" && !strings.HasPrefix(firstString(call.Args), `"BUG: `) {
				t.Errorf(`%s: a panic must begin with "BUG: "`, tr.position(call))
			}
			return true
		})
	}
}

// firstString is the string literal that the first argument begins with: itself,
// the left end of a sum, or the format of a call; "" where it is neither.
func firstString(args []ast.Expr) string {
	if len(args) == 0 {
		return ""
	}
	switch arg := args[0].(type) {
	case *ast.BasicLit:
		if arg.Kind == token.STRING {
			return arg.Value
		}
	case *ast.BinaryExpr:
		return firstString([]ast.Expr{arg.X})
	case *ast.CallExpr:
		return firstString(arg.Args)
	}
	return ""
}
