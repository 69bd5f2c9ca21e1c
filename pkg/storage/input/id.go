// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package input

import "github.com/metrics-apiserver/metrics-apiserver/pkg/storage"

// ID names an input. What each is, Table says.
type ID uint8

// The inputs. CPU, memory's working set and swap are not among them: package
// storage has those of every node at any time.
const (
	// The network of a pod is the sum over its interfaces but the loopback; a
	// pod on the host's network shows the host's. A node's is the sum over the
	// interfaces that are not bridges, tunnels and other ends of pods' traffic.
	NetworkReceiveBytes ID = iota
	NetworkTransmitBytes
	NetworkReceiveErrors
	NetworkTransmitErrors
	NetworkReceivePackets
	NetworkTransmitPackets
	NetworkReceiveDropped
	NetworkTransmitDropped

	// MemoryRSS is anonymous memory, MemoryCache the page cache.
	MemoryRSS
	MemoryCache

	// FilesystemUsed is a container's writable layer and logs.
	FilesystemUsed
	// EphemeralUsed is all that counts against a pod's ephemeral storage:
	// writable layers, logs, and volumes on the node's disk.
	EphemeralUsed
	EphemeralInodesUsed

	// Volumes are those of a pod's persistent volume claims, added up; the two
	// ratios are those of the fullest one.
	VolumeUsed
	VolumeCapacity
	VolumeInodesUsed
	VolumeInodes
	VolumeMaxUsedRatio
	VolumeMaxInodesUsedRatio

	// Reads and writes of block devices, added up over the devices.
	FilesystemReads
	FilesystemWrites
	FilesystemReadBytes
	FilesystemWriteBytes

	// The periods in which a container with a CPU limit ran, those in which it
	// was throttled, and for how long. A container without a limit has none.
	CPUPeriods
	CPUThrottledPeriods
	CPUThrottledTime

	// Pressure is the time in which some, or all, of a pod's tasks waited for
	// CPU, memory or I/O.
	CPUPressureSome
	CPUPressureFull
	MemoryPressureSome
	MemoryPressureFull
	IOPressureSome
	IOPressureFull

	// Processes and Threads of the pod's containers.
	Processes
	Threads
	// OOMEvents is how often a container's processes were killed for want of
	// memory within its present run.
	OOMEvents

	// The node's root file system, and its threads.
	NodeFilesystemUsed
	NodeFilesystemCapacity
	NodeFilesystemInodesUsed
	NodeFilesystemInodes
	NodeThreads

	// IDs is the number of inputs.
	IDs
)

// Source is where a kubelet serves an input.
type Source uint8

// The sources.
const (
	// Cadvisor is /metrics/cadvisor: text, about 15 KB a container.
	Cadvisor Source = iota
	// Summary is /stats/summary: JSON, a tenth of that. Its times are whole
	// seconds.
	Summary
	// Sources is the number of sources.
	Sources
)

// String is the source as a metric's label.
func (s Source) String() string {
	switch s {
	case Cadvisor:
		return "cadvisor"
	case Summary:
		return "summary"
	default:
		return "unknown"
	}
}

// Kind says whether an input only ever grows.
type Kind uint8

// The kinds.
const (
	// Gauge: the number itself is served.
	Gauge Kind = iota
	// Counter: its rate per second is served.
	Counter
)

// Level says whose numbers make up a pod's.
type Level uint8

// The levels.
const (
	// OfNode: only nodes have the input.
	OfNode Level = iota
	// OfPod: the kubelet gives one number of the pod.
	OfPod
	// OfContainer: the pod's is the sum over its running containers.
	OfContainer
)

// Unit is what an input counts.
type Unit uint8

// The units. A Value is in the base unit: a Nanosecond input is served in
// seconds, a Millionth one as a ratio.
const (
	Count Unit = iota
	Byte
	Nanosecond
	// Millionth is a ratio in parts of a million.
	Millionth
)

// perBase is how many of the unit make one of the base unit.
func (u Unit) perBase() float64 {
	switch u {
	case Nanosecond:
		return 1e9
	case Millionth:
		return 1e6
	default:
		return 1
	}
}

// Info is what is known of an input.
type Info struct {
	// Name is for people, in the manner of a metric's name.
	Name   string
	Source Source
	Kind   Kind
	Level  Level
	Unit   Unit
	// Node says that nodes have the input, too.
	Node bool
	// Sparse says that a container may have no such number and yet be well, as
	// one without a CPU limit has no throttled periods: then it adds nothing to
	// its pod's, which is absent only where no container has one.
	Sparse bool
	// Refresh is how much longer than a container's sample, 30 s, the kubelet
	// may hold the number before it reads it again. The input's staleness bound
	// is that of package storage and this.
	Refresh storage.Millis
}

// volumeRefresh is how long a kubelet may hold what it knows of volumes: it
// walks them once a minute, each pod up to twice as late by chance, and the
// walk itself takes time. --volume-stats-agg-period changes the minute.
const volumeRefresh storage.Millis = 120_000

// Table is what is known of each input. It is the one place that says so.
func Table() [IDs]Info {
	return [IDs]Info{
		NetworkReceiveBytes:    {Name: "network_receive_bytes", Source: Summary, Kind: Counter, Level: OfPod, Unit: Byte, Node: true},
		NetworkTransmitBytes:   {Name: "network_transmit_bytes", Source: Summary, Kind: Counter, Level: OfPod, Unit: Byte, Node: true},
		NetworkReceiveErrors:   {Name: "network_receive_errors", Source: Summary, Kind: Counter, Level: OfPod, Node: true},
		NetworkTransmitErrors:  {Name: "network_transmit_errors", Source: Summary, Kind: Counter, Level: OfPod, Node: true},
		NetworkReceivePackets:  {Name: "network_receive_packets", Source: Cadvisor, Kind: Counter, Level: OfPod, Node: true},
		NetworkTransmitPackets: {Name: "network_transmit_packets", Source: Cadvisor, Kind: Counter, Level: OfPod, Node: true},
		NetworkReceiveDropped:  {Name: "network_receive_dropped", Source: Cadvisor, Kind: Counter, Level: OfPod, Node: true},
		NetworkTransmitDropped: {Name: "network_transmit_dropped", Source: Cadvisor, Kind: Counter, Level: OfPod, Node: true},

		MemoryRSS:   {Name: "memory_rss", Source: Summary, Level: OfContainer, Unit: Byte, Node: true},
		MemoryCache: {Name: "memory_cache", Source: Cadvisor, Level: OfContainer, Unit: Byte, Node: true},

		FilesystemUsed:      {Name: "filesystem_used", Source: Summary, Level: OfContainer, Unit: Byte},
		EphemeralUsed:       {Name: "ephemeral_used", Source: Summary, Level: OfPod, Unit: Byte},
		EphemeralInodesUsed: {Name: "ephemeral_inodes_used", Source: Summary, Level: OfPod},

		VolumeUsed:               {Name: "volume_used", Source: Summary, Level: OfPod, Unit: Byte, Refresh: volumeRefresh},
		VolumeCapacity:           {Name: "volume_capacity", Source: Summary, Level: OfPod, Unit: Byte, Refresh: volumeRefresh},
		VolumeInodesUsed:         {Name: "volume_inodes_used", Source: Summary, Level: OfPod, Refresh: volumeRefresh},
		VolumeInodes:             {Name: "volume_inodes", Source: Summary, Level: OfPod, Refresh: volumeRefresh},
		VolumeMaxUsedRatio:       {Name: "volume_max_used_ratio", Source: Summary, Level: OfPod, Unit: Millionth, Refresh: volumeRefresh},
		VolumeMaxInodesUsedRatio: {Name: "volume_max_inodes_used_ratio", Source: Summary, Level: OfPod, Unit: Millionth, Refresh: volumeRefresh},

		FilesystemReads:      {Name: "filesystem_reads", Source: Cadvisor, Kind: Counter, Level: OfContainer, Node: true, Sparse: true},
		FilesystemWrites:     {Name: "filesystem_writes", Source: Cadvisor, Kind: Counter, Level: OfContainer, Node: true, Sparse: true},
		FilesystemReadBytes:  {Name: "filesystem_read_bytes", Source: Cadvisor, Kind: Counter, Level: OfContainer, Unit: Byte, Node: true, Sparse: true},
		FilesystemWriteBytes: {Name: "filesystem_write_bytes", Source: Cadvisor, Kind: Counter, Level: OfContainer, Unit: Byte, Node: true, Sparse: true},

		CPUPeriods:          {Name: "cpu_periods", Source: Cadvisor, Kind: Counter, Level: OfContainer, Sparse: true},
		CPUThrottledPeriods: {Name: "cpu_throttled_periods", Source: Cadvisor, Kind: Counter, Level: OfContainer, Sparse: true},
		CPUThrottledTime:    {Name: "cpu_throttled_time", Source: Cadvisor, Kind: Counter, Level: OfContainer, Unit: Nanosecond, Sparse: true},

		CPUPressureSome:    {Name: "cpu_pressure_some", Source: Summary, Kind: Counter, Level: OfPod, Unit: Nanosecond, Node: true},
		CPUPressureFull:    {Name: "cpu_pressure_full", Source: Summary, Kind: Counter, Level: OfPod, Unit: Nanosecond, Node: true},
		MemoryPressureSome: {Name: "memory_pressure_some", Source: Summary, Kind: Counter, Level: OfPod, Unit: Nanosecond, Node: true},
		MemoryPressureFull: {Name: "memory_pressure_full", Source: Summary, Kind: Counter, Level: OfPod, Unit: Nanosecond, Node: true},
		IOPressureSome:     {Name: "io_pressure_some", Source: Summary, Kind: Counter, Level: OfPod, Unit: Nanosecond, Node: true},
		IOPressureFull:     {Name: "io_pressure_full", Source: Summary, Kind: Counter, Level: OfPod, Unit: Nanosecond, Node: true},

		Processes: {Name: "processes", Source: Summary, Level: OfPod},
		Threads:   {Name: "threads", Source: Cadvisor, Level: OfContainer},
		OOMEvents: {Name: "oom_events", Source: Cadvisor, Kind: Counter, Level: OfContainer},

		NodeFilesystemUsed:       {Name: "node_filesystem_used", Source: Summary, Unit: Byte, Node: true},
		NodeFilesystemCapacity:   {Name: "node_filesystem_capacity", Source: Summary, Unit: Byte, Node: true},
		NodeFilesystemInodesUsed: {Name: "node_filesystem_inodes_used", Source: Summary, Node: true},
		NodeFilesystemInodes:     {Name: "node_filesystem_inodes", Source: Summary, Node: true},
		NodeThreads:              {Name: "node_threads", Source: Summary, Node: true},
	}
}
