// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kubelet knows what a kubelet's answers mean: which series of
// /metrics/resource are a container's CPU, memory, swap and start, and which
// numbers of /stats/summary are the kubelet's own estimates of CPU rates. How
// the bytes are written is the business of package exposition, how they are
// fetched that of package scraper.
//
// # Types
//
//   - Decoder: reads the answers of one node and remembers between them what
//     makes the next one cheap.
//   - Options: the bounds on what is taken from an answer.
//   - Stats: what was read and what was refused, and why.
//   - InputDecoder, InputAnswer: read the numbers that custom metrics are
//     computed from, of /metrics/cadvisor and of a whole /stats/summary.
//   - SeriesDecoder, SeriesStream: read any of a kubelet's documents as labelled
//     series, for receivers of package series (files series….go).
//
// # What is taken
//
// Of /metrics/resource, the families container_cpu_usage_seconds_total,
// container_memory_working_set_bytes, container_swap_usage_bytes,
// container_start_time_seconds, node_cpu_usage_seconds_total,
// node_memory_working_set_bytes, node_swap_usage_bytes, and
// resource_scrape_error (scrape_error before Kubernetes 1.29). Lines of other
// families are skipped without being looked at.
//
// A container that any of these families names is a row of the batch, also when
// only its start is listed: the store must know that it is there. A series of
// container "POD", which is what some runtimes call a pod's sandbox, is skipped.
//
// # What is taken as inputs
//
// Of /metrics/cadvisor, the metrics in file cadvisorfamily.go, as far as they are
// wanted; where an input of containers is wanted also container_start_time_seconds,
// which lists the containers that lack it. Series of one container are told apart
// by their id, because after a restart both runs can be listed: the newer reading
// counts. Of /stats/summary, the sections in file inputsummary.go.
//
// A kubelet writes zeros for some of what it does not know. Pressure that is 0
// everywhere is that of a node on cgroup v1, and a time in 1970 that of something
// never read; both are no readings. Pressure is in the kernel's microseconds,
// though the kubelet's API calls it nanoseconds.
//
// # All, or part
//
// A series that cannot be taken is refused, counted with its reason, and loses
// nothing but itself; a container is only lost where the names in all of its
// series cannot be read. An answer is refused as a whole, with an error, where
// taking a part of it would be a lie, because a container that a batch does not
// list counts as gone: when it is cut short (no line feed at its end), has
// nothing of a node in it (ErrNoMetrics), or passes a bound on the number of
// series or containers. An answer that has containers beside
// resource_scrape_error 1 is taken; Stats.ScrapeErrors says so.
//
// # Units
//
// CPU is converted to nanoseconds, memory and swap are bytes, times are
// storage.Millis by the node's clock. Conversion is exact on the decimal digits
// that the kubelet printed; what is below the unit is cut off.
//
// # Concurrency and ownership
//
// An InputDecoder serves all nodes, and an InputAnswer one goroutine at a time; so
// it is with a SeriesDecoder and the SeriesStreams of its nodes.
// A Decoder serves one node and must not be used concurrently. It keeps no part
// of a body. What it puts into a batch belongs to it and is valid until the
// next call of the same method or of Release, except the Layout, which is
// immutable and may be kept.
package kubelet
