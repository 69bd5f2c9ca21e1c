// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

// update rewrites docs/failures.md: go test -update.
var update = flag.Bool("update", false, "rewrite docs/failures.md from the table")

// TestTable holds that the table has every row, that the tests it names exist,
// and that a row that nothing shows says why.
func TestTable(t *testing.T) {
	root := checkout(t)
	// There is no F15 and no F22.
	want := strings.Fields("F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 F11 F12 F13 F14 F16 F17 F18 F19 F20 F21 F23 F24 F25 F26 T1 T2 T3 T4 T5 T6 T7 T8")
	var got, long []string
	for _, row := range Rows() {
		got = append(got, row.ID)
		if row.What == "" || row.Passes == "" {
			t.Errorf("%s lacks what happens, or when it passes", row.ID)
		}
		if len(row.Short) == 0 && !row.Long && row.Open == "" {
			t.Errorf("%s: nothing shows it, and it does not say why", row.ID)
		}
		for _, test := range row.Short {
			if !slices.Contains(testsIn(t, filepath.Join(root, test.Dir)), test.Name) {
				t.Errorf("%s: there is no test %s in %s", row.ID, test.Name, test.Dir)
			}
		}
		if row.Long {
			long = append(long, row.ID)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the rows are %v, want %v", got, want)
	}
	var tried []string
	for _, e := range experiments() {
		tried = append(tried, e.rows...)
	}
	tried = slices.DeleteFunc(tried, func(id string) bool { return id == soakID })
	slices.Sort(tried)
	slices.Sort(long)
	if !slices.Equal(tried, long) {
		t.Errorf("the experiments try %v, and the table has as long %v", tried, long)
	}
}

// TestRequirements holds docs/failures.md against the table.
func TestRequirements(t *testing.T) {
	file := filepath.Join(checkout(t), "docs", "failures.md")
	if *update {
		if err := os.WriteFile(file, []byte(Requirements()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != Requirements() {
		t.Error("docs/failures.md is not what the table says: run `go test ./hack/chaos -update`")
	}
}

// TestReport holds the report's form.
func TestReport(t *testing.T) {
	began := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	r := &Report{Began: began, Machine: "2 cores", Pace: 0.5}
	r.Add(Figure{Row: "F2", Injected: "a|b", Name: "missing", Value: "3", Limit: "0"})
	r.Add(Figure{Row: "F1", Injected: "a black hole", Name: "delay", Value: "1 ms", Limit: "2 ms", Pass: true})
	r.AddPlot(Plot{File: "x.svg", Title: "memory"})
	text := r.Markdown(began.Add(90 * time.Second))
	for _, want := range []string{
		"2026-11-21 12:00 UTC, 2 cores, 1m30s in all. Every duration is ×0.5 of",
		"| F1 | a black hole | delay | 1 ms | 2 ms | yes |\n| F2 | a\\|b | missing | 3 | 0 | **no** |\n",
		"![memory](x.svg)", "- F3, half of the nodes are cut off for ten minutes, then healed: left out of this run.\n",
		"- T6, forged identity headers, and readers without a name: short tests only, in `make test`.\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	svg := SVG("a < b", "c", []time.Duration{0, time.Second, 2 * time.Second}, Series{Name: "zero", Values: []float64{0, 0, 0}}, Series{Name: "up", Note: "steep", Values: []float64{1, 2, 3.9}, Limit: 2})
	for _, want := range []string{"a &lt; b", `points="60.0,192.0 440.0,192.0 820.0,192.0 "`, `points="60.0,328.0 440.0,298.0 820.0,241.0 "`, ">2s</text>", ">steep</text>", `d="M60 298.0h760" stroke="#c33"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("the plot lacks %q:\n%s", want, svg)
		}
	}
}

// testsIn are the names of the tests and fuzz targets of a package.
func testsIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	test := regexp.MustCompile(`^(Test|Fuzz)`)
	var names []string
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && test.MatchString(fn.Name.Name) {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}

// checkout is the root of the checkout.
func checkout(t *testing.T) string {
	t.Helper()
	root, err := toolchain.Root()
	if err != nil {
		t.Fatal(err)
	}
	return root
}
