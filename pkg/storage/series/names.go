// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import "strings"

// IsOfClaim is whether series of a name are of a volume claim: they are in a
// namespace, and of no pod.
func IsOfClaim(name string) bool { return strings.HasPrefix(name, "kubelet_volume_stats_") }

// isSummaryName is whether series of a name are made of a summary.
func isSummaryName(name string) bool {
	return IsOfClaim(name) || strings.HasPrefix(name, "kubelet_summary_")
}

// SourceOf is where series of a name are read if nothing says otherwise: some are
// in /metrics/resource and in /metrics/cadvisor, which is many times larger, and
// what is there is taken from the former.
func SourceOf(name string) Source {
	switch name {
	case "container_cpu_usage_seconds_total", "container_memory_working_set_bytes",
		"container_start_time_seconds", "container_swap_usage_bytes", "container_swap_limit_bytes",
		"pod_cpu_usage_seconds_total", "pod_memory_working_set_bytes", "pod_swap_usage_bytes",
		"node_cpu_usage_seconds_total", "node_memory_working_set_bytes", "node_swap_usage_bytes",
		"resource_scrape_error", "scrape_error":
		return Resource
	}
	if isSummaryName(name) {
		return Summary
	}
	return Cadvisor
}
