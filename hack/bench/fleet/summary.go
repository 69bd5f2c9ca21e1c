// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"encoding/json"
	"time"
)

// summary is what ?only_cpu_and_memory=true leaves of /stats/summary.
type summary struct {
	Node nodeStats  `json:"node"`
	Pods []podStats `json:"pods"`
}

type nodeStats struct {
	NodeName  string `json:"nodeName"`
	StartTime string `json:"startTime"`
	cgroupStats
}

type podStats struct {
	PodRef     podReference     `json:"podRef"`
	StartTime  string           `json:"startTime"`
	Containers []containerStats `json:"containers"`
	cgroupStats
}

type podReference struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	UID       string `json:"uid"`
}

type containerStats struct {
	Name      string `json:"name"`
	StartTime string `json:"startTime"`
	cgroupStats
}

type cgroupStats struct {
	CPU    cpuStats    `json:"cpu"`
	Memory memoryStats `json:"memory"`
	Swap   swapStats   `json:"swap"`
}

type cpuStats struct {
	Time                 string `json:"time"`
	UsageNanoCores       uint64 `json:"usageNanoCores"`
	UsageCoreNanoSeconds uint64 `json:"usageCoreNanoSeconds"`
}

type memoryStats struct {
	Time            string `json:"time"`
	UsageBytes      uint64 `json:"usageBytes"`
	WorkingSetBytes uint64 `json:"workingSetBytes"`
	RSSBytes        uint64 `json:"rssBytes"`
	PageFaults      uint64 `json:"pageFaults"`
	MajorPageFaults uint64 `json:"majorPageFaults"`
}

type swapStats struct {
	Time           string `json:"time"`
	SwapUsageBytes uint64 `json:"swapUsageBytes"`
}

// stats is what a summary says of the newest sample. Its times are in whole
// seconds, and a rate that the kubelet does not know is 0.
func (s *sampler) stats() cgroupStats {
	at := second(s.at)
	return cgroupStats{
		CPU:    cpuStats{Time: at, UsageNanoCores: s.current, UsageCoreNanoSeconds: s.cpu},
		Memory: memoryStats{Time: at, UsageBytes: s.mem + s.mem/8, WorkingSetBytes: s.mem, RSSBytes: s.mem / 2, PageFaults: 2186, MajorPageFaults: 3},
		Swap:   swapStats{Time: at},
	}
}

func second(millis int64) string { return time.UnixMilli(millis).UTC().Format(time.RFC3339) }

// appendSummary appends the answer of /stats/summary at now.
func (n *node) appendSummary(dst []byte, now int64) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.advanceLocked(now)
	s := summary{Node: nodeStats{NodeName: n.name, StartTime: second(n.mu.usage.started), cgroupStats: n.mu.usage.stats()}}
	for _, p := range n.mu.pods {
		if p.at == 0 {
			continue
		}
		stats := podStats{
			PodRef:      podReference{Name: p.Name, Namespace: p.Namespace, UID: p.UID()},
			StartTime:   second(p.started),
			cgroupStats: p.stats(),
		}
		for _, c := range p.containers {
			if c.at != 0 {
				stats.Containers = append(stats.Containers, containerStats{Name: c.name, StartTime: second(c.started), cgroupStats: c.stats()})
			}
		}
		s.Pods = append(s.Pods, stats)
	}
	text, err := json.MarshalIndent(s, "", " ")
	return append(dst, text...), err
}
