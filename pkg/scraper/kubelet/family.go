// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

// kind is what a series measures.
type kind uint8

// The kinds of series. Where a container has no CPU series, its time is that
// of the next kind in this order.
const (
	kindCPU kind = iota
	kindMemory
	kindSwap
	kindStart
	kindScrapeError
)

// places is how many decimal places of the printed value are kept: seconds
// become nanoseconds of CPU and milliseconds of time, bytes stay bytes.
func (k kind) places() int {
	switch k {
	case kindCPU:
		return 9
	case kindStart:
		return 3
	default:
		return 0
	}
}

// bit is k as one of a set.
func (k kind) bit() uint8 { return 1 << k }

// scope is what a series is about.
type scope uint8

const (
	scopeOther scope = iota // A family that does not matter here.
	scopeContainer
	scopeNode
	scopeKubelet
)

// ResourceQuery asks a kubelet for no other families of /metrics/resource than those
// that Decoder.Resource takes: in place of nine lines a container and pod it writes
// four or five. Kubelets since Kubernetes 1.37 know the parameter, which is of the
// Prometheus library's handler (client_golang 1.24); older ones give everything.
// Who reads the answer as labelled series wants everything and must not use it.
const ResourceQuery = "name%5B%5D=container_cpu_usage_seconds_total" +
	"&name%5B%5D=container_memory_working_set_bytes" +
	"&name%5B%5D=container_swap_usage_bytes" +
	"&name%5B%5D=container_start_time_seconds" +
	"&name%5B%5D=node_cpu_usage_seconds_total" +
	"&name%5B%5D=node_memory_working_set_bytes" +
	"&name%5B%5D=node_swap_usage_bytes" +
	"&name%5B%5D=resource_scrape_error"

// isPodSum is whether a line, which is not empty, is of a family whose name begins like
// pod_cpu_usage_seconds_total. None of these matters here, and a kubelet writes three
// lines of them a pod, so that they are told by one byte.
func isPodSum(line []byte) bool { return line[0] == 'p' }

// familyOf is what the series of a metric are about and what they measure.
func familyOf(name []byte) (scope, kind) {
	switch string(name) {
	case "container_cpu_usage_seconds_total":
		return scopeContainer, kindCPU
	case "container_memory_working_set_bytes":
		return scopeContainer, kindMemory
	case "container_swap_usage_bytes":
		return scopeContainer, kindSwap
	case "container_start_time_seconds":
		return scopeContainer, kindStart
	case "node_cpu_usage_seconds_total":
		return scopeNode, kindCPU
	case "node_memory_working_set_bytes":
		return scopeNode, kindMemory
	case "node_swap_usage_bytes":
		return scopeNode, kindSwap
	case "resource_scrape_error", "scrape_error":
		return scopeKubelet, kindScrapeError
	default:
		return scopeOther, 0
	}
}
