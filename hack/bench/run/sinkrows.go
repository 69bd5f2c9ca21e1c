// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"fmt"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/report"
)

// What is measured of remote-write, beside figures that others have, too.
const (
	cpuPerMillion    figure = "CPU per million samples" // s
	samplesPerSecond figure = "samples per second"
	// cpuPerMillionAtMost is cpuPerMillion where as many samples are shipped as go.
	cpuPerMillionAtMost figure = "CPU per million samples at most" // s
	bytesPerSample      figure = "bytes per sample"
	seriesShipped       figure = "series shipped"
	cpuShare            figure = "share of a CPU" // %
	delivered           figure = "samples delivered"
	tapPerSample        figure = "time in consumers per sample" // ns
)

// rows are those of remote-write, with the project's goals. What they are held
// against is in the column of floors.
func (f *sinkFigures) rows() []report.Row {
	row := func(name, unit string, ours, floor []float64, goal *report.Goal) report.Row {
		return report.Row{Name: "remote-write: " + name, Unit: unit, Ours: ours, Floor: floor, Goal: goal}
	}
	none, hanging := f.none, f.hanging
	fastest := row("samples delivered as fast as they go, receiver on the same CPUs", "/s", f.alone[samplesPerSecond], nil, &report.Goal{Text: "≥ 500,000/s", Limit: 500_000})
	fastest.More = true
	return []report.Row{
		row("CPU per million samples of 10,600 series, from kubelets' answers to the receiver's, as fast as they go", "s", f.alone[cpuPerMillionAtMost], nil, &report.Goal{Text: "≤ 0.45 s", Limit: 0.45}),
		row(fmt.Sprintf("the same at an even pace of %d samples a second", pacedRate), "s", f.alone[cpuPerMillion], nil, nil),
		fastest,
		row("bytes a sample", "B", f.alone[bytesPerSample], nil, nil),
		row(fmt.Sprintf("series of %d nodes, /metrics/resource", sinkNodes), "", f.resource[seriesShipped], nil, nil),
		row("resident memory of a server that ships them; floor: without a sink", "MB", f.resource[steadyRSS], none[steadyRSS], moreThanFloor(none[steadyRSS], 30)),
		row("series of the same nodes with /metrics/cadvisor", "", f.cadvisor[seriesShipped], nil, nil),
		row("CPU of scraping and shipping them, per million samples; floor: Prometheus' agent", "s", f.cadvisor[cpuPerMillion], f.agent[cpuPerMillion], timesFloor(f.agent[cpuPerMillion], 0.5)),
		row("samples delivered in the window; floor: Prometheus' agent", "", f.cadvisor[delivered], f.agent[delivered], nil),
		row("resident memory of scraping and shipping them; floor: Prometheus' agent", "MB", f.cadvisor[steadyRSS], f.agent[steadyRSS], nil),
		row("a sample of a scrape in its consumers while the receiver hangs; floor: while it does not", "ns", hanging[tapPerSample], f.resource[tapPerSample], nil),
		row("age of samples, p50, while the receiver hangs; floor: without a sink", "s", hanging[age50], none[age50], timesFloor(none[age50], 1.05)),
		row("age of samples, p99, while the receiver hangs; floor: without a sink", "s", hanging[age99], none[age99], timesFloor(none[age99], 1.05)),
		row("HPA's list, p50, while the receiver hangs; floor: without a sink", "ms", hanging[hpa50], none[hpa50], timesFloor(none[hpa50], 1.05)),
		row("HPA's list, p99, while the receiver hangs; floor: without a sink", "ms", hanging[hpa99], none[hpa99], timesFloor(none[hpa99], 1.05)),
	}
}

// moreThanFloor is the goal of at most so many MB more than a floor.
func moreThanFloor(floor []float64, more float64) *report.Goal {
	median, ok := report.Median(floor)
	if !ok {
		return nil
	}
	return &report.Goal{Text: fmt.Sprintf("≤ floor + %.0f MB", more), Limit: median + more}
}

// notes say how remote-write was measured.
func (*sinkFigures) notes() []string {
	return []string{
		"Remote-write, CPU per million samples and samples delivered: what a kubelet once said on /metrics/cadvisor, as six nodes, with other times and values in each answer, is read, queued on disk and posted by pkg/storage/remotewrite in a process of its own, in 2.0, to a receiver that decompresses, counts and stores nothing; the CPU time is the sender's. At an even pace, a sync of the disk a second, the 5 s for which the last samples wait for more, and cold caches are divided among fewer samples.",
		fmt.Sprintf("Remote-write, all else: four servers of ours (without a sink; with one for /metrics/resource; with one for /metrics/cadvisor as well; with one whose receiver never answers) and Prometheus v0.315's agent mode ran over one window beside each other, against the same %d kubelets of %d pods of %d containers, at the same interval, with queues and logs on the same disk. The agent is made of Prometheus' packages with its defaults, so it asks kubelets for compressed answers; it has the same targets and labels, and ships 2.0. CPU time is that of the whole process.", sinkNodes, sinkPods, sinkContainers),
		"HPA's lists were asked for in turn of the two servers that are compared.",
	}
}
