// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelettest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"
)

// Usage is the pods of a node and what they use. It must not be written after
// it was given to a Kubelet.
type Usage struct {
	// Pods run on the node.
	Pods []Pod
	// CPU is what the node itself uses, in nanocores, and Memory its working
	// set, in bytes.
	CPU, Memory uint64
	// Booted is when the node started.
	Booted time.Time
}

// Pod is a pod.
type Pod struct {
	Namespace, Name string
	Containers      []Container
}

// Container is a running container.
type Container struct {
	Name string
	// Started is when it began to run.
	Started time.Time
	// CPU is what it uses all the time, in nanocores; Memory is its working
	// set, Swap its swap, in bytes.
	CPU, Memory, Swap uint64
	// Refresh is how often the kubelet takes a sample of it. 0 is 10 s.
	Refresh time.Duration
}

// Uniform is a node with that many pods of that many containers each, all of
// them started at booted.
func Uniform(pods, containers int, booted time.Time) Usage {
	u := Usage{CPU: 1_500_000_000, Memory: 6 << 30, Booted: booted}
	for p := range pods {
		pod := Pod{Namespace: fmt.Sprintf("team-%d", p%5), Name: fmt.Sprintf("app-%d-7d9c5b8f6-%05d", p%17, p)}
		for c := range containers {
			pod.Containers = append(pod.Containers, Container{
				Name: fmt.Sprintf("container-%d", c), Started: booted,
				CPU: uint64(10_000_000 * (1 + (p*7+c*3)%40)), Memory: uint64(16+(p*5+c)%200) << 20,
			})
		}
		u.Pods = append(u.Pods, pod)
	}
	return u
}

// Reading is the sample that a kubelet shows of a container at some moment.
type Reading struct {
	// Time is when the sample was taken.
	Time time.Time
	// CPU is the CPU time used by then, in nanoseconds.
	CPU uint64
}

// At is the newest sample at now. ok is false where none was taken yet.
func (c Container) At(pod Pod, now time.Time) (r Reading, ok bool) {
	refresh := cmp.Or(c.Refresh, 10*time.Second)
	// Each container's clock has a phase of its own.
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, pod.Namespace, "/", pod.Name, "/", c.Name)
	phase := time.Duration(h.Sum64() % uint64(refresh))
	age := now.Sub(c.Started) - phase
	if age < 0 {
		return Reading{}, false
	}
	ran := phase + age/refresh*refresh
	at := c.Started.Add(ran).Truncate(time.Millisecond)
	return Reading{Time: at, CPU: used(c.CPU, at.Sub(c.Started))}, true
}

// used is the CPU time at a steady rate, in whole microseconds, so that its
// decimal form in seconds is exact.
func used(nanocores uint64, ran time.Duration) uint64 {
	return uint64(float64(nanocores)*ran.Seconds()) / 1000 * 1000
}

// AppendResource appends what /metrics/resource says at now. skew is how far
// the node's clock is ahead.
func (u Usage) AppendResource(dst []byte, now time.Time, skew time.Duration) []byte {
	type row struct {
		c      Container
		labels string
		r      Reading
	}
	var rows []row
	for _, p := range u.Pods {
		for _, c := range p.Containers {
			if r, ok := c.At(p, now); ok {
				rows = append(rows, row{c, fmt.Sprintf(`{container=%q,namespace=%q,pod=%q} `, c.Name, p.Namespace, p.Name), r})
			}
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.labels, b.labels) })
	millis := func(dst []byte, t time.Time) []byte {
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, t.Add(skew).UnixMilli(), 10)
		return append(dst, '\n')
	}
	family := func(name, kind string, each func(dst []byte, r row) []byte) {
		dst = fmt.Appendf(dst, "# HELP %s [STABLE] text\n# TYPE %s %s\n", name, name, kind)
		for _, r := range rows {
			dst = append(dst, name...)
			dst = append(dst, r.labels...)
			dst = each(dst, r)
		}
	}
	number := func(dst []byte, v float64) []byte { return strconv.AppendFloat(dst, v, 'g', -1, 64) }
	family("container_cpu_usage_seconds_total", "counter", func(dst []byte, r row) []byte {
		return millis(number(dst, float64(r.r.CPU)/1e9), r.r.Time)
	})
	family("container_memory_working_set_bytes", "gauge", func(dst []byte, r row) []byte {
		return millis(number(dst, float64(r.c.Memory)), r.r.Time)
	})
	family("container_start_time_seconds", "gauge", func(dst []byte, r row) []byte {
		return append(number(dst, float64(r.c.Started.Add(skew).UnixMilli())/1e3), '\n')
	})
	family("container_swap_usage_bytes", "gauge", func(dst []byte, r row) []byte {
		return millis(number(dst, float64(r.c.Swap)), r.r.Time)
	})
	node := now.Truncate(10 * time.Second)
	for _, line := range []struct {
		name  string
		value float64
	}{
		{"node_cpu_usage_seconds_total", float64(used(u.CPU, node.Sub(u.Booted))) / 1e9},
		{"node_memory_working_set_bytes", float64(u.Memory)},
		{"node_swap_usage_bytes", 0},
	} {
		dst = fmt.Appendf(dst, "# TYPE %s gauge\n%s ", line.name, line.name)
		dst = millis(number(dst, line.value), node)
	}
	return append(dst, "# TYPE resource_scrape_error gauge\nresource_scrape_error 0\n"...)
}

// summary is the part of /stats/summary that only_cpu_and_memory leaves.
type summary struct {
	Node struct {
		NodeName  string    `json:"nodeName"`
		StartTime time.Time `json:"startTime"`
		CPU       cpuStats  `json:"cpu"`
	} `json:"node"`
	Pods []podStats `json:"pods"`
}

type podStats struct {
	PodRef struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
		UID       string `json:"uid"`
	} `json:"podRef"`
	Containers []containerStats `json:"containers"`
}

type containerStats struct {
	Name      string      `json:"name"`
	StartTime time.Time   `json:"startTime"`
	CPU       cpuStats    `json:"cpu"`
	Memory    memoryStats `json:"memory"`
}

type cpuStats struct {
	Time                 time.Time `json:"time"`
	UsageNanoCores       uint64    `json:"usageNanoCores"`
	UsageCoreNanoSeconds uint64    `json:"usageCoreNanoSeconds"`
}

// AppendSummary appends what /stats/summary says at now: times in whole
// seconds, and a rate of 0 where the kubelet has taken one sample only.
func (u Usage) AppendSummary(dst []byte, node string, now time.Time, skew time.Duration) []byte {
	second := func(t time.Time) time.Time { return t.Add(skew).UTC().Truncate(time.Second) }
	var s summary
	s.Node.NodeName, s.Node.StartTime = node, second(u.Booted)
	at := now.Truncate(10 * time.Second)
	s.Node.CPU = cpuStats{Time: second(at), UsageNanoCores: u.CPU, UsageCoreNanoSeconds: used(u.CPU, at.Sub(u.Booted))}
	for _, p := range u.Pods {
		var stats podStats
		stats.PodRef.Name, stats.PodRef.Namespace, stats.PodRef.UID = p.Name, p.Namespace, p.Namespace+"-"+p.Name
		for _, c := range p.Containers {
			r, ok := c.At(p, now)
			if !ok {
				continue
			}
			cpu := cpuStats{Time: second(r.Time), UsageNanoCores: c.CPU, UsageCoreNanoSeconds: r.CPU}
			if r.Time.Sub(c.Started) < cmp.Or(c.Refresh, 10*time.Second) {
				cpu.UsageNanoCores = 0
			}
			stats.Containers = append(stats.Containers, containerStats{
				Name: c.Name, StartTime: second(c.Started), CPU: cpu,
				Memory: memoryStats{Time: second(r.Time), RSSBytes: c.Memory / 2},
			})
		}
		s.Pods = append(s.Pods, stats)
	}
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return append(dst, text...)
}
