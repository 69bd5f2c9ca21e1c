// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// cadvisorFamily is what is known of a metric of /metrics/cadvisor.
type cadvisorFamily struct {
	role  cadvisorRole
	id    input.ID
	shape cadvisorShape
	// places is how many decimal places of the printed value are kept.
	places int
	// sums says that a row has several series, one for each device or interface,
	// that are to be added.
	sums bool
}

// cadvisorRole is what a metric is for.
type cadvisorRole uint8

const (
	roleNone cadvisorRole = iota
	// roleInput: it is an input.
	roleInput
	// roleListing: it has a series for every container, whatever else these
	// have.
	roleListing
	// roleHealth: it says how the kubelet's reading went.
	roleHealth
)

// cadvisorShape tells metrics apart whose series have the same labels, in the
// same order: those of one shape are of the same containers.
type cadvisorShape uint8

const (
	shapeContainer cadvisorShape = iota
	shapeQuota                   // Only containers with a CPU limit.
	shapeInterface
	shapeDevice
	cadvisorShapes
)

// cadvisorFamilyOf is what is known of a metric.
func cadvisorFamilyOf(name []byte) cadvisorFamily {
	plain := func(id input.ID) cadvisorFamily { return cadvisorFamily{role: roleInput, id: id} }
	quota := func(id input.ID, places int) cadvisorFamily {
		return cadvisorFamily{role: roleInput, id: id, shape: shapeQuota, places: places}
	}
	network := func(id input.ID) cadvisorFamily {
		return cadvisorFamily{role: roleInput, id: id, shape: shapeInterface, sums: true}
	}
	disk := func(id input.ID) cadvisorFamily {
		return cadvisorFamily{role: roleInput, id: id, shape: shapeDevice, sums: true}
	}
	switch string(name) {
	case "container_network_receive_packets_total":
		return network(input.NetworkReceivePackets)
	case "container_network_transmit_packets_total":
		return network(input.NetworkTransmitPackets)
	case "container_network_receive_packets_dropped_total":
		return network(input.NetworkReceiveDropped)
	case "container_network_transmit_packets_dropped_total":
		return network(input.NetworkTransmitDropped)
	case "container_memory_cache":
		return plain(input.MemoryCache)
	case "container_fs_reads_total":
		return disk(input.FilesystemReads)
	case "container_fs_writes_total":
		return disk(input.FilesystemWrites)
	case "container_fs_reads_bytes_total":
		return disk(input.FilesystemReadBytes)
	case "container_fs_writes_bytes_total":
		return disk(input.FilesystemWriteBytes)
	case "container_cpu_cfs_periods_total":
		return quota(input.CPUPeriods, 0)
	case "container_cpu_cfs_throttled_periods_total":
		return quota(input.CPUThrottledPeriods, 0)
	case "container_cpu_cfs_throttled_seconds_total":
		return quota(input.CPUThrottledTime, 9)
	case "container_threads":
		return plain(input.Threads)
	case "container_oom_events_total":
		return plain(input.OOMEvents)
	case "container_start_time_seconds":
		return cadvisorFamily{role: roleListing}
	case "container_scrape_error":
		return cadvisorFamily{role: roleHealth}
	default:
		return cadvisorFamily{}
	}
}

// cadvisorLabels are the labels of a series that matter here.
type cadvisorLabels struct {
	namespace, pod, container, id []byte
	// device is the interface or the device.
	device []byte
}

// cadvisorLabelsOf picks the labels that matter; ok is false where one of them
// is there twice.
func cadvisorLabelsOf(labels []exposition.Label) (picked cadvisorLabels, ok bool) {
	const namespace, pod, container, id, device = 1, 2, 4, 8, 16
	seen := 0
	for i := range labels {
		bit := 0
		var to *[]byte
		switch string(labels[i].Name) {
		case "namespace":
			bit, to = namespace, &picked.namespace
		case "pod":
			bit, to = pod, &picked.pod
		case "container":
			bit, to = container, &picked.container
		case "id":
			bit, to = id, &picked.id
		case "interface", "device":
			bit, to = device, &picked.device
		default:
			continue
		}
		if seen&bit != 0 {
			return picked, false
		}
		seen |= bit
		*to = labels[i].Value()
	}
	return picked, true
}

// virtualInterface says whether a node's interface only carries what also goes
// over another one, or never leaves the node: bridges, tunnels, the nodes' ends
// of pods' interfaces. There is nothing to tell but the name; the kubelet itself
// leaves out some.
func virtualInterface(name []byte) bool {
	if string(name) == "lo" {
		return true
	}
	for _, prefix := range []string{
		"veth", "cali", "lxc", "cni", "cbr", "docker", "nerdctl", "br-", "virbr", "podman", "weave",
		"flannel", "cilium", "vxlan", "geneve", "genev_", "tunl", "ipip", "sit", "gre", "wg", "tailscale",
		"ovn", "ovs", "kube-", "nodelocaldns", "dummy", "ifb", "antrea", "gke", "eni", "azv",
	} {
		if bytes.HasPrefix(name, []byte(prefix)) {
			return true
		}
	}
	return false
}
