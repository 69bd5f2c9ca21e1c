// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import "slices"

// writer writes the families of an answer that are asked for.
type writer struct {
	dst   []byte
	names []string // no names are all
}

// family begins a family with its comment lines; false is: it is left out.
func (w *writer) family(name, help, kind string) bool {
	if len(w.names) > 0 && !slices.Contains(w.names, name) {
		return false
	}
	for _, part := range []string{"# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"} {
		w.dst = append(w.dst, part...)
	}
	return true
}

// appendResource appends the answer of /metrics/resource at now, with the families of
// these names; no names are all.
func (n *node) appendResource(dst []byte, now int64, names ...string) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.advanceLocked(now)
	w := writer{dst, names}
	n.writeContainersLocked(&w)

	if w.family("node_cpu_usage_seconds_total", "[STABLE] Cumulative cpu time consumed by the node in core-seconds", "counter") {
		w.dst = append(w.dst, n.mu.usage.cpuLine.text...)
	}
	if w.family("node_memory_working_set_bytes", "[STABLE] Current working set of the node in bytes", "gauge") {
		w.dst = append(w.dst, n.mu.usage.memoryLine.text...)
	}
	if w.family("node_swap_usage_bytes", "[ALPHA] Current swap usage of the node in bytes. Reported only on non-windows systems", "gauge") {
		w.dst = append(w.dst, n.mu.usage.swapLine.text...)
	}
	n.writePodsLocked(&w)
	if w.family("resource_scrape_error", "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise", "gauge") {
		w.dst = append(w.dst, "resource_scrape_error 0\n"...)
	}
	return w.dst
}

func (n *node) writeContainersLocked(w *writer) {
	each := func(name, help, kind string, of func(*containerUsage) *line) {
		if !w.family(name, help, kind) {
			return
		}
		for _, c := range n.mu.containers {
			// A container is there from its first sample on.
			if l := of(c); c.at != 0 && l != nil {
				w.dst = append(w.dst, l.text...)
			}
		}
	}
	each("container_cpu_usage_seconds_total", "[STABLE] Cumulative cpu time consumed by the container in core-seconds", "counter",
		func(c *containerUsage) *line { return &c.cpuLine })
	each("container_memory_working_set_bytes", "[STABLE] Current working set of the container in bytes", "gauge",
		func(c *containerUsage) *line { return &c.memoryLine })
	each("container_start_time_seconds", "[STABLE] Start time of the container since unix epoch in seconds", "gauge",
		func(c *containerUsage) *line { return &c.startLine })
	each("container_swap_limit_bytes", "[ALPHA] Current amount of the container swap limit in bytes. Reported only on non-windows systems", "gauge",
		func(c *containerUsage) *line {
			if !c.limited {
				return nil
			}
			return &c.swapLimitLine
		})
	each("container_swap_usage_bytes", "[ALPHA] Current amount of the container swap usage in bytes. Reported only on non-windows systems", "gauge",
		func(c *containerUsage) *line { return &c.swapLine })
}

func (n *node) writePodsLocked(w *writer) {
	each := func(name, help, kind string, of func(*podUsage) *line) {
		if !w.family(name, help, kind) {
			return
		}
		for _, p := range n.mu.podOrder {
			if p.at != 0 {
				w.dst = append(w.dst, of(p).text...)
			}
		}
	}
	each("pod_cpu_usage_seconds_total", "[STABLE] Cumulative cpu time consumed by the pod in core-seconds", "counter",
		func(p *podUsage) *line { return &p.cpuLine })
	each("pod_memory_working_set_bytes", "[STABLE] Current working set of the pod in bytes", "gauge",
		func(p *podUsage) *line { return &p.memoryLine })
	each("pod_swap_usage_bytes", "[ALPHA] Current amount of the pod swap usage in bytes. Reported only on non-windows systems", "gauge",
		func(p *podUsage) *line { return &p.swapLine })
}
