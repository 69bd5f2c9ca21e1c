// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"fmt"
	"slices"
	"testing"
)

// TestRuns: runs have the pods of the list, in its order, and are of one size.
func TestRuns(t *testing.T) {
	for _, counts := range [][]int{{}, {1}, {7}, {1, 1, 1, 1}, {100, 3, 0, 65}, {64, 64}} {
		pods := NewPods()
		for namespace, count := range counts {
			for i := range count {
				must(t, pods.Add(runningPod(fmt.Sprint("namespace-", namespace), fmt.Sprint("pod-", i), "node", nil)))
			}
		}
		for _, namespace := range []string{"", "namespace-0", "none"} {
			want := slices.Collect(pods.All(namespace))
			for _, size := range []int{1, 2, 7, 64, 1000} {
				var got []*Pod
				runs := pods.Runs(namespace, size)
				for i := range runs {
					before := len(got)
					got = slices.AppendSeq(got, runs[i].All())
					if n := runs[i].Len(); len(got)-before != n || n > size || n < size && i+1 < len(runs) {
						t.Errorf("run %d of %d has %d pods, says %d, want %d", i, len(runs), len(got)-before, n, size)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%v: runs of %d of %q have %d pods, want %d", counts, size, namespace, len(got), len(want))
				}
			}
		}
	}
}
