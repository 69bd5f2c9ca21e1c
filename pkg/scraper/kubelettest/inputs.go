// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelettest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// What every pod does all the time beside using CPU and memory.
const (
	// BytesPerSecond is what it receives from the network, in packets of 100.
	BytesPerSecond = 25_000
	// ThreadsPerContainer is how many threads each of its containers has.
	ThreadsPerContainer = 3
)

// sandbox is a pod's network as a container, which is what a kubelet takes it
// for; it began with the pod's first container.
func (p Pod) sandbox() Container {
	if len(p.Containers) == 0 {
		return Container{}
	}
	return Container{Started: p.Containers[0].Started}
}

// Received is the newest sample of the bytes that the pod has received. ok is
// false where none was taken yet.
func (p Pod) Received(now time.Time) (bytes uint64, at time.Time, ok bool) {
	r, ok := p.sandbox().At(p, now)
	if !ok {
		return 0, r.Time, false
	}
	return uint64(BytesPerSecond * r.Time.Sub(p.sandbox().Started).Milliseconds() / 1000), r.Time, true
}

// AppendCadvisor appends what /metrics/cadvisor says at now: some of its
// metrics, with the labels that they have. skew is how far the node's clock is
// ahead.
func (u Usage) AppendCadvisor(dst []byte, now time.Time, skew time.Duration) []byte {
	line := func(family, labels string, value float64, at time.Time) {
		dst = append(append(dst, family...), labels...)
		dst = strconv.AppendFloat(append(dst, ' '), value, 'g', -1, 64)
		if !at.IsZero() {
			dst = strconv.AppendInt(append(dst, ' '), at.Add(skew).UnixMilli(), 10)
		}
		dst = append(dst, '\n')
	}
	containers := func(family string, value func(c Container, r Reading) (float64, time.Time)) {
		dst = fmt.Appendf(dst, "# HELP %s text\n# TYPE %s gauge\n", family, family)
		for _, p := range u.Pods {
			for _, c := range p.Containers {
				if r, ok := c.At(p, now); ok {
					id := fmt.Sprintf("/kubepods/%s-%s/%s-%d", p.Namespace, p.Name, c.Name, c.Started.UnixMilli())
					v, at := value(c, r)
					line(family, fmt.Sprintf(`{container=%q,id=%q,image="registry.example/app:1",name="run",namespace=%q,pod=%q}`, c.Name, id, p.Namespace, p.Name), v, at)
				}
			}
		}
	}
	containers("container_memory_cache", func(c Container, r Reading) (float64, time.Time) { return float64(c.Memory / 4), r.Time })
	containers("container_memory_rss", func(c Container, r Reading) (float64, time.Time) { return float64(c.Memory / 2), r.Time })
	for _, family := range []string{"container_network_receive_bytes_total", "container_network_receive_packets_total"} {
		for _, p := range u.Pods {
			if bytes, at, ok := p.Received(now); ok {
				value := float64(bytes)
				if family == "container_network_receive_packets_total" {
					value = float64(bytes / 100)
				}
				line(family, fmt.Sprintf(`{container="",id="/kubepods/%s-%s/sandbox",image="registry.example/pause:1",interface="eth0",name="run",namespace=%q,pod=%q}`, p.Namespace, p.Name, p.Namespace, p.Name), value, at)
			}
		}
	}
	containers("container_start_time_seconds", func(c Container, _ Reading) (float64, time.Time) {
		return float64(c.Started.Add(skew).Unix()), time.Time{}
	})
	containers("container_threads", func(_ Container, r Reading) (float64, time.Time) { return ThreadsPerContainer, r.Time })
	return append(dst, "# TYPE container_scrape_error gauge\ncontainer_scrape_error 0\n"...)
}

// wholeSummary is /stats/summary with some of what only_cpu_and_memory leaves
// out.
type wholeSummary struct {
	Node struct {
		NodeName string `json:"nodeName"`
	} `json:"node"`
	Pods []wholePod `json:"pods"`
}

type wholePod struct {
	PodRef struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
		UID       string `json:"uid"`
	} `json:"podRef"`
	StartTime  time.Time        `json:"startTime"`
	Containers []wholeContainer `json:"containers"`
	Network    *networkStats    `json:"network,omitempty"`
}

type wholeContainer struct {
	Name   string      `json:"name"`
	Memory memoryStats `json:"memory"`
}

type memoryStats struct {
	Time     time.Time `json:"time"`
	RSSBytes uint64    `json:"rssBytes"`
}

type networkStats struct {
	Time       time.Time        `json:"time"`
	Interfaces []interfaceStats `json:"interfaces"`
}

type interfaceStats struct {
	Name    string `json:"name"`
	RxBytes uint64 `json:"rxBytes"`
}

// AppendWholeSummary appends what /stats/summary says at now where it is not
// asked for CPU and memory only. Its times are whole seconds.
func (u Usage) AppendWholeSummary(dst []byte, node string, now time.Time, skew time.Duration) []byte {
	second := func(t time.Time) time.Time { return t.Add(skew).UTC().Truncate(time.Second) }
	var s wholeSummary
	s.Node.NodeName = node
	for _, p := range u.Pods {
		var stats wholePod
		stats.PodRef.Name, stats.PodRef.Namespace, stats.PodRef.UID = p.Name, p.Namespace, p.Namespace+"-"+p.Name
		stats.StartTime = second(p.sandbox().Started)
		for _, c := range p.Containers {
			if r, ok := c.At(p, now); ok {
				stats.Containers = append(stats.Containers, wholeContainer{Name: c.Name, Memory: memoryStats{Time: second(r.Time), RSSBytes: c.Memory / 2}})
			}
		}
		if bytes, at, ok := p.Received(now); ok {
			stats.Network = &networkStats{Time: second(at), Interfaces: []interfaceStats{{Name: "eth0", RxBytes: bytes}}}
		}
		s.Pods = append(s.Pods, stats)
	}
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return append(dst, text...)
}
