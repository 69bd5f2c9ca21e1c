// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"os"
	"strings"
	"testing"
)

// TestMarkdown holds how figures, ratios and verdicts are written.
func TestMarkdown(t *testing.T) {
	r := &Report{
		Settings: map[string]string{"nodes": "7"},
		Rows: []Row{
			{Name: "cpu", Unit: "ms", Theirs: []float64{3, 1, 2}, Ours: []float64{0.5}, Floor: []float64{0.25}, Goal: &Goal{Text: "1.25 × floor", Limit: 0.3125}},
			{Name: "rate", Unit: "/s", Theirs: []float64{1000}, Ours: []float64{4000}, More: true, Goal: &Goal{Text: "more", Limit: 3000}},
			{Name: "slow rate", Unit: "/s", Theirs: []float64{1000}, Ours: []float64{500}, More: true},
			{Name: "alone", Unit: "MB", Ours: []float64{449}},
		},
		Notes: []string{"A note."},
	}
	file, err := r.Store(t.TempDir(), "result")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| nodes | 7 |",
		"| cpu | 2.00 ms | 0.500 ms | 4.00 × | 0.250 ms | 2.00 × | 1.25 × floor | **miss** |",
		"| rate | 1000 /s | 4000 /s | 4.00 × |  |  | more | pass |",
		"| slow rate | 1000 /s | 500 /s | 0.500 × |  |  |  |  |",
		"| alone |  | 449 MB |  |  |  |  |  |",
		"- A note.",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
