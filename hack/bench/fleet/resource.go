// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

// family is the comment lines before a family of series.
func family(dst []byte, name, help, kind string) []byte {
	dst = append(dst, "# HELP "...)
	dst = append(dst, name...)
	dst = append(dst, ' ')
	dst = append(dst, help...)
	dst = append(dst, "\n# TYPE "...)
	dst = append(dst, name...)
	dst = append(dst, ' ')
	dst = append(dst, kind...)
	return append(dst, '\n')
}

// appendResource appends the answer of /metrics/resource at now.
func (n *node) appendResource(dst []byte, now int64) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.advanceLocked(now)
	dst = n.appendContainersLocked(dst)

	dst = family(dst, "node_cpu_usage_seconds_total", "[STABLE] Cumulative cpu time consumed by the node in core-seconds", "counter")
	dst = append(dst, n.mu.usage.cpuLine.text...)
	dst = family(dst, "node_memory_working_set_bytes", "[STABLE] Current working set of the node in bytes", "gauge")
	dst = append(dst, n.mu.usage.memoryLine.text...)
	dst = family(dst, "node_swap_usage_bytes", "[ALPHA] Current swap usage of the node in bytes. Reported only on non-windows systems", "gauge")
	dst = append(dst, n.mu.usage.swapLine.text...)

	dst = n.appendPodsLocked(dst)
	dst = family(dst, "resource_scrape_error", "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise", "gauge")
	return append(dst, "resource_scrape_error 0\n"...)
}

func (n *node) appendContainersLocked(dst []byte) []byte {
	each := func(of func(*containerUsage) *line) {
		for _, c := range n.mu.containers {
			// A container is there from its first sample on.
			if l := of(c); c.at != 0 && l != nil {
				dst = append(dst, l.text...)
			}
		}
	}
	dst = family(dst, "container_cpu_usage_seconds_total", "[STABLE] Cumulative cpu time consumed by the container in core-seconds", "counter")
	each(func(c *containerUsage) *line { return &c.cpuLine })
	dst = family(dst, "container_memory_working_set_bytes", "[STABLE] Current working set of the container in bytes", "gauge")
	each(func(c *containerUsage) *line { return &c.memoryLine })
	dst = family(dst, "container_start_time_seconds", "[STABLE] Start time of the container since unix epoch in seconds", "gauge")
	each(func(c *containerUsage) *line { return &c.startLine })
	dst = family(dst, "container_swap_limit_bytes", "[ALPHA] Current amount of the container swap limit in bytes. Reported only on non-windows systems", "gauge")
	each(func(c *containerUsage) *line {
		if !c.limited {
			return nil
		}
		return &c.swapLimitLine
	})
	dst = family(dst, "container_swap_usage_bytes", "[ALPHA] Current amount of the container swap usage in bytes. Reported only on non-windows systems", "gauge")
	each(func(c *containerUsage) *line { return &c.swapLine })
	return dst
}

func (n *node) appendPodsLocked(dst []byte) []byte {
	each := func(of func(*podUsage) *line) {
		for _, p := range n.mu.podOrder {
			if p.at != 0 {
				dst = append(dst, of(p).text...)
			}
		}
	}
	dst = family(dst, "pod_cpu_usage_seconds_total", "[STABLE] Cumulative cpu time consumed by the pod in core-seconds", "counter")
	each(func(p *podUsage) *line { return &p.cpuLine })
	dst = family(dst, "pod_memory_working_set_bytes", "[STABLE] Current working set of the pod in bytes", "gauge")
	each(func(p *podUsage) *line { return &p.memoryLine })
	dst = family(dst, "pod_swap_usage_bytes", "[ALPHA] Current amount of the pod swap usage in bytes. Reported only on non-windows systems", "gauge")
	each(func(p *podUsage) *line { return &p.swapLine })
	return dst
}
