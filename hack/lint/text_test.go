// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// forEachLine calls check with every line of every text file that people write.
func forEachLine(t *testing.T, check func(name string, number int, line string)) {
	t.Helper()
	tr := load(t)
	generated := map[string]bool{}
	for _, f := range tr.goes {
		generated[f.name] = f.generated()
	}
	for _, name := range tr.files {
		// The rules themselves name what they forbid.
		if generated[name] || path.Base(name) == "go.sum" || name == "hack/lint/text_test.go" {
			continue
		}
		number := 0
		for line := range strings.Lines(tr.texts[name]) {
			number++
			check(name, number, line)
		}
	}
}

// TestNoForeignPlaces refuses paths that hold on one machine only.
func TestNoForeignPlaces(t *testing.T) {
	forbidden := []*regexp.Regexp{
		regexp.MustCompile(`(^|[^\w.])/(root|work)/\w`),
		regexp.MustCompile(`(^|[^\w.])/(home|Users)/[a-z]\w*/`),
	}
	forEachLine(t, func(name string, number int, line string) {
		line = strings.ReplaceAll(line, "/home/someone/", "") // Nobody's, for tests.
		for _, pattern := range forbidden {
			if found := pattern.FindString(line); found != "" {
				t.Errorf("%s:%d: names %q", name, number, found)
			}
		}
	})
}

// TestOwnedTodos refuses a TODO that nobody owns: TODO(owner, #issue).
func TestOwnedTodos(t *testing.T) {
	todo := regexp.MustCompile(`\b(TODO|FIXME|XXX)(:|\s|\([^)])`)
	owned := regexp.MustCompile(`\bTODO\([\w-]+, #\d+\)`)
	forEachLine(t, func(name string, number int, line string) {
		if todo.MatchString(owned.ReplaceAllString(line, "")) {
			t.Errorf("%s:%d: write TODO(owner, #issue), or do it", name, number)
		}
	})
}

// TestNolintReasons refuses a linter that is silenced without a name and a reason.
func TestNolintReasons(t *testing.T) {
	nolint := regexp.MustCompile(`//\s*nolint`)
	reasoned := regexp.MustCompile(`//nolint:[\w,-]+ // \w+.*\w`)
	tr := load(t)
	for _, f := range tr.goes {
		if below(f.name, "hack/lint") {
			continue
		}
		number := 0
		for line := range strings.Lines(tr.texts[f.name]) {
			number++
			if nolint.MatchString(line) && !reasoned.MatchString(line) {
				t.Errorf("%s:%d: write //nolint:linter // reason", f.name, number)
			}
		}
	}
}
