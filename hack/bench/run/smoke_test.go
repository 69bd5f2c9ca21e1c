// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"os"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/report"
)

// TestQuick runs the whole benchmark small and short, so that it does not rot.
// What it measures then means nothing, but must be there.
func TestQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane and two servers, for two minutes")
	}
	o := Quick()
	o.Progress = os.Stderr
	r, err := Run(t.Context(), o, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + r.Markdown())
	for _, row := range r.Rows {
		for who, numbers := range map[string][]float64{"metrics-server": row.Theirs, "ours": row.Ours, "the floor": row.Floor} {
			if median, ok := report.Median(numbers); ok && median < 0 {
				t.Errorf("%s of %s is %v", row.Name, who, median)
			}
		}
		// What metrics-server has not is held against something else, or a number.
		compared := len(row.Theirs) == 1 || strings.HasPrefix(row.Name, "remote-write") || strings.HasSuffix(row.Name, "in one window")
		if row.Goal != nil && (!compared || len(row.Ours) != 1) {
			t.Errorf("%s was not measured", row.Name)
		}
	}
}
