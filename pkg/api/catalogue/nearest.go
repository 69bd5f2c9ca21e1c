// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"slices"
	"strings"
)

// maxNameLen bounds the names for which a near one is looked for, and so what
// the search can cost.
const maxNameLen = 128

// nearest is the name of a metric that may have been meant by name, or "". Who
// comes from Prometheus writes the names that cAdvisor gives, or that
// prometheus-adapter makes of them: container_network_receive_bytes_total and
// network_receive_bytes are network_receive_bytes_per_second.
func (p *Provider) nearest(name string) string {
	if len(name) > maxNameLen {
		return ""
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(name, "container_"), "_total")
	bare = strings.Replace(bare, "fs_", "filesystem_", 1)
	best, bestDistance := "", len(bare)/3+1
	for metric := range p.metrics {
		distance := editDistance(bare, strings.TrimSuffix(metric, "_per_second"))
		distance = min(distance, editDistance(bare, metric))
		// By name where two are equally near, so that the answer is always the same.
		if distance < bestDistance || distance == bestDistance && metric < best {
			best, bestDistance = metric, distance
		}
	}
	return best
}

// editDistance is how many bytes must be put in, left out or replaced to make b
// of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + slices.Min([]int{diagonal, row[j], row[j+1]})
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
