// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import "github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"

// Metric is one entry of the catalogue.
type Metric struct {
	// Name is what it is asked for by. It ends in its unit, as Prometheus has
	// it, unless it is a mere count.
	Name string
	// Unit is the unit of its values, in words.
	Unit string
	// Help is one sentence on what it is.
	Help string
	// Needs is what a node or a pod must have for the metric; "" is nothing
	// special, so that every running pod has it sooner or later.
	Needs string
	// Target is an example of an average value to scale on, as a quantity.
	Target string
	// Pods and Nodes are how it is computed for each.
	Pods, Nodes Formula
	// Namespaces have it, too: the sum over their pods, or, of a formula that
	// divides, the sum over what is above divided by that over what is below.
	Namespaces bool
	// OwnNetwork says that only a pod that is not on its host's network has it.
	OwnNetwork bool
}

// Inputs is all that has to be collected for the metric.
func (m *Metric) Inputs() input.Set { return m.Pods.Inputs() | m.Nodes.Inputs() }

// Section is metrics that belong together.
type Section struct {
	Title   string
	Metrics []Metric
}

// Table is the catalogue: the one place that says which metrics there are. What
// is documented, discovered, collected and computed follows from it.
func Table() []Section {
	return []Section{
		{"CPU", cpuMetrics()},
		{"Memory", memoryMetrics()},
		{"Network", networkMetrics()},
		{"Disks", diskMetrics()},
		{"Volumes", volumeMetrics()},
		{"Pressure", pressureMetrics()},
		{"Processes and failures", processMetrics()},
	}
}

func cpuMetrics() []Metric {
	const quota = "a CPU limit, and the CFS quota on (the kubelet's default)"
	return []Metric{
		everywhere("cpu_usage_cores", "cores", "CPU in use, as `kubectl top` shows it.", "500m", used(usedCPU)),
		ofPods("cpu_usage_request_ratio", "ratio", "CPU in use as a share of what is requested.", "700m", share(usedCPU, requested)),
		ofPods("cpu_usage_limit_ratio", "ratio", "CPU in use as a share of the limit.", "700m", share(usedCPU, limited)),
		ofPods("cpu_throttled_periods_ratio", "ratio", "The share of the periods in which a container ran that it was throttled in, for having used up its CPU limit.", "100m",
			quotient(input.CPUThrottledPeriods, input.CPUPeriods)).needing(quota),
		ofPods("cpu_throttled_seconds_per_second", "seconds per second", "For how long containers were throttled.", "50m", read(input.CPUThrottledTime)).needing(quota),
	}
}

func memoryMetrics() []Metric {
	return []Metric{
		everywhere("memory_working_set_bytes", "bytes", "Memory that cannot be reclaimed at once, as `kubectl top` shows it.", "256Mi", used(usedMemory)),
		everywhere("memory_rss_bytes", "bytes", "Anonymous memory: heaps and stacks.", "256Mi", read(input.MemoryRSS)),
		everywhere("memory_cache_bytes", "bytes", "The page cache.", "1Gi", read(input.MemoryCache)),
		everywhere("memory_swap_bytes", "bytes", "Swap in use.", "64Mi", used(usedSwap)).needing("swap on the node, or a kubelet that reports it"),
		ofPods("memory_working_set_request_ratio", "ratio", "The working set as a share of the memory that is requested.", "800m", share(usedMemory, requested)),
		ofPods("memory_working_set_limit_ratio", "ratio", "The working set as a share of the limit.", "800m", share(usedMemory, limited)),
	}
}

func networkMetrics() []Metric {
	metrics := []Metric{
		everywhere("network_receive_bytes_per_second", "bytes per second", "What is received.", "10M", read(input.NetworkReceiveBytes)),
		everywhere("network_transmit_bytes_per_second", "bytes per second", "What is sent.", "10M", read(input.NetworkTransmitBytes)),
		everywhere("network_receive_packets_per_second", "packets per second", "Packets received.", "10k", read(input.NetworkReceivePackets)),
		everywhere("network_transmit_packets_per_second", "packets per second", "Packets sent.", "10k", read(input.NetworkTransmitPackets)),
		everywhere("network_receive_errors_per_second", "errors per second", "Packets that came in damaged.", "1", read(input.NetworkReceiveErrors)),
		everywhere("network_transmit_errors_per_second", "errors per second", "Packets that could not be sent.", "1", read(input.NetworkTransmitErrors)),
		everywhere("network_receive_packets_dropped_per_second", "packets per second", "Packets that came in and were dropped.", "10", read(input.NetworkReceiveDropped)),
		everywhere("network_transmit_packets_dropped_per_second", "packets per second", "Packets that were dropped before they were sent.", "10", read(input.NetworkTransmitDropped)),
	}
	for i := range metrics {
		metrics[i].OwnNetwork = true
	}
	return metrics
}

func diskMetrics() []Metric {
	const blockIO = "a container runtime and file system of which cAdvisor reads block I/O"
	used := ofPods("filesystem_used_bytes", "bytes", "The containers' writable layers and logs; of a node, its root file system.", "1Gi", read(input.FilesystemUsed))
	used.Nodes = read(input.NodeFilesystemUsed)
	return []Metric{
		used,
		ofNodes("filesystem_used_ratio", "ratio", "The share of the root file system that is in use.", "800m", quotient(input.NodeFilesystemUsed, input.NodeFilesystemCapacity)),
		ofNodes("filesystem_inodes_used", "inodes", "Inodes of the root file system in use.", "1M", read(input.NodeFilesystemInodesUsed)),
		ofNodes("filesystem_inodes_used_ratio", "ratio", "The share of the root file system's inodes that is in use.", "800m", quotient(input.NodeFilesystemInodesUsed, input.NodeFilesystemInodes)),
		everywhere("filesystem_reads_per_second", "reads per second", "Reads of block devices.", "100", read(input.FilesystemReads)).needing(blockIO),
		everywhere("filesystem_writes_per_second", "writes per second", "Writes to block devices.", "100", read(input.FilesystemWrites)).needing(blockIO),
		everywhere("filesystem_read_bytes_per_second", "bytes per second", "What is read from block devices.", "10M", read(input.FilesystemReadBytes)).needing(blockIO),
		everywhere("filesystem_write_bytes_per_second", "bytes per second", "What is written to block devices.", "10M", read(input.FilesystemWriteBytes)).needing(blockIO),
		ofPods("ephemeral_storage_used_bytes", "bytes", "All that counts against the pod's ephemeral storage: writable layers, logs, and volumes on the node's disk.", "1Gi", read(input.EphemeralUsed)),
		ofPods("ephemeral_storage_inodes_used", "inodes", "Inodes of the same.", "10k", read(input.EphemeralInodesUsed)),
	}
}

func volumeMetrics() []Metric {
	const claim = "a persistent volume claim whose driver reports its use"
	metrics := []Metric{
		ofPods("volume_used_bytes", "bytes", "What the pod's persistent volume claims hold.", "50Gi", read(input.VolumeUsed)),
		ofPods("volume_capacity_bytes", "bytes", "What they can hold.", "100Gi", read(input.VolumeCapacity)),
		ofPods("volume_inodes_used", "inodes", "Inodes in use in the pod's persistent volume claims.", "1M", read(input.VolumeInodesUsed)),
		ofPods("volume_inodes", "inodes", "How many inodes they can have.", "10M", read(input.VolumeInodes)),
		// How full the fullest is does not add up.
		onlyPods("volume_used_ratio", "ratio", "How full the fullest of the pod's persistent volume claims is.", "800m", read(input.VolumeMaxUsedRatio)),
		onlyPods("volume_inodes_used_ratio", "ratio", "The same for inodes.", "800m", read(input.VolumeMaxInodesUsedRatio)),
	}
	for i := range metrics {
		metrics[i].Needs = claim
	}
	return metrics
}

func pressureMetrics() []Metric {
	const psi = "cgroup v2, a kernel with PSI, and Kubernetes 1.34 or newer"
	// The share of time in which tasks of one pod waited does not add up.
	pressure := func(name, help, target string, id input.ID) Metric {
		m := onlyPods(name, "ratio", help, target, read(id)).needing(psi)
		m.Nodes = m.Pods
		return m
	}
	return []Metric{
		pressure("cpu_pressure_some_ratio", "The share of time in which a task waited for CPU.", "200m", input.CPUPressureSome),
		pressure("cpu_pressure_full_ratio", "The share of time in which all tasks did.", "100m", input.CPUPressureFull),
		pressure("memory_pressure_some_ratio", "The share of time in which a task waited for memory.", "100m", input.MemoryPressureSome),
		pressure("memory_pressure_full_ratio", "The share of time in which all tasks did.", "50m", input.MemoryPressureFull),
		pressure("io_pressure_some_ratio", "The share of time in which a task waited for I/O.", "200m", input.IOPressureSome),
		pressure("io_pressure_full_ratio", "The share of time in which all tasks did.", "100m", input.IOPressureFull),
	}
}

func processMetrics() []Metric {
	threads := ofPods("threads", "threads", "Threads; of a node, all of them.", "200", read(input.Threads))
	threads.Nodes = read(input.NodeThreads)
	return []Metric{
		ofPods("processes", "processes", "Processes.", "50", read(input.Processes)),
		threads,
		ofPods("oom_kills_per_second", "kills per second", "Processes killed for want of memory. A kill that ends the container ends its count as well, and shows in restarts instead.", "10m", read(input.OOMEvents)),
		ofPods("container_restarts", "restarts", "How often the pod's containers have been restarted since the pod was made.", "3", restarts()),
	}
}

// onlyPods is a metric of pods.
func onlyPods(name, unit, help, target string, f Formula) Metric {
	return Metric{Name: name, Unit: unit, Help: help, Target: target, Pods: f}
}

// ofPods is a metric of pods and, added up, of namespaces.
func ofPods(name, unit, help, target string, f Formula) Metric {
	return Metric{Name: name, Unit: unit, Help: help, Target: target, Pods: f, Namespaces: true}
}

// ofNodes is a metric of nodes.
func ofNodes(name, unit, help, target string, f Formula) Metric {
	return Metric{Name: name, Unit: unit, Help: help, Target: target, Nodes: f}
}

// everywhere is a metric of pods, nodes and namespaces.
func everywhere(name, unit, help, target string, f Formula) Metric {
	return Metric{Name: name, Unit: unit, Help: help, Target: target, Pods: f, Nodes: f, Namespaces: true}
}

func (m Metric) needing(what string) Metric {
	m.Needs = what
	return m
}
