// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"cmp"
	"slices"
	"sync"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
)

// node is one kubelet.
type node struct {
	world world.World
	index int
	name  string

	mu struct {
		sync.Mutex
		usage nodeUsage
		// pods are in the order of their slots; podOrder and containers are in
		// that of the text format.
		pods       []*podUsage
		podOrder   []*podUsage
		containers []*containerUsage
	}
}

// nodeUsage is the node's own series.
type nodeUsage struct {
	*sampler
	cpuLine, memoryLine, swapLine line
}

// podUsage is a pod's series, those of its whole cgroup.
type podUsage struct {
	world.Pod
	*sampler
	as                            cgroup
	cpuLine, memoryLine, swapLine line
	containers                    []*containerUsage
}

// containerUsage is a container's series.
type containerUsage struct {
	*sampler
	as                                                      cgroup
	pod                                                     *podUsage
	name                                                    string
	cpuLine, memoryLine, startLine, swapLimitLine, swapLine line
	limited                                                 bool // has a limit on its swap
}

// newNode is a node with all its pods in generation 0.
func newNode(w world.World, index int, now int64) *node {
	n := &node{world: w, index: index, name: w.Node(index)}
	booted := w.Epoch.UnixMilli() - 40*24*3_600_000
	n.mu.usage = nodeUsage{
		sampler:    newSampler(uint64(index)<<32|1, 4_000_000_000, 64<<30, booted, now),
		cpuLine:    newLine("node_cpu_usage_seconds_total", ""),
		memoryLine: newLine("node_memory_working_set_bytes", ""),
		swapLine:   newLine("node_swap_usage_bytes", ""),
	}
	n.mu.usage.render()
	for slot := range w.Pods {
		n.mu.pods = append(n.mu.pods, n.newPod(w.Pod(w.Index(index, slot), 0), now))
	}
	n.orderLocked()
	return n
}

// replace puts another generation of a pod in its place.
func (n *node) replace(pod world.Pod, now int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.pods[pod.Index/n.world.Nodes] = n.newPod(pod, now)
	n.orderLocked()
}

func (n *node) newPod(pod world.Pod, now int64) *podUsage {
	labels := `{namespace="` + pod.Namespace + `",pod="` + pod.Name + `"}`
	p := &podUsage{
		Pod:        pod,
		cpuLine:    newLine("pod_cpu_usage_seconds_total", labels),
		memoryLine: newLine("pod_memory_working_set_bytes", labels),
		swapLine:   newLine("pod_swap_usage_bytes", labels),
	}
	seed := uint64(pod.Index)<<20 | uint64(pod.Generation)<<4
	started := pod.Started.UnixMilli()
	var rate, memory uint64
	for i := range n.world.Containers {
		c := n.world.Container(pod, i)
		rate, memory = rate+c.CPU, memory+c.Memory
		p.containers = append(p.containers, newContainer(p, c, newSampler(seed|uint64(i), c.CPU, c.Memory, started, now)))
	}
	p.sampler = newSampler(seed|15, rate, memory, started, now)
	p.as = cgroup{namespace: pod.Namespace, pod: pod.Name, uid: pod.UID(), id: runtimeID(pod.UID(), "")}
	p.render()
	return p
}

func newContainer(pod *podUsage, c world.Container, s *sampler) *containerUsage {
	labels := `{container="` + c.Name + `",namespace="` + pod.Namespace + `",pod="` + pod.Name + `"}`
	u := &containerUsage{
		sampler: s, pod: pod, name: c.Name, limited: c.SwapLimit,
		cpuLine:       newLine("container_cpu_usage_seconds_total", labels),
		memoryLine:    newLine("container_memory_working_set_bytes", labels),
		startLine:     newLine("container_start_time_seconds", labels),
		swapLimitLine: newLine("container_swap_limit_bytes", labels),
		swapLine:      newLine("container_swap_usage_bytes", labels),
	}
	u.as = cgroup{namespace: pod.Namespace, pod: pod.Name, uid: pod.UID(), container: c.Name, id: runtimeID(pod.UID(), c.Name)}
	u.startLine.setUntimed(float64(s.started) * 1e6 / 1e9)
	u.render()
	return u
}

// orderLocked sorts the series as the text format has them: by the values of
// their labels, in the order of the labels' names.
func (n *node) orderLocked() {
	n.mu.podOrder = slices.Clone(n.mu.pods)
	slices.SortFunc(n.mu.podOrder, comparePods)
	n.mu.containers = nil
	for _, p := range n.mu.pods {
		n.mu.containers = append(n.mu.containers, p.containers...)
	}
	slices.SortFunc(n.mu.containers, func(a, b *containerUsage) int {
		return cmp.Or(cmp.Compare(a.name, b.name), comparePods(a.pod, b.pod))
	})
}

func comparePods(a, b *podUsage) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

func (u *nodeUsage) render() {
	u.cpuLine.set(seconds(u.cpu), u.at)
	u.memoryLine.set(float64(u.mem), u.at)
	u.swapLine.set(0, u.at)
}

func (p *podUsage) render() {
	if p.at == 0 {
		return
	}
	p.as.sampled, p.as.started = p.at, p.started
	p.cpuLine.set(seconds(p.cpu), p.at)
	p.memoryLine.set(float64(p.mem), p.at)
	p.swapLine.set(0, p.at)
}

func (c *containerUsage) render() {
	if c.at == 0 {
		return
	}
	c.as.sampled, c.as.started = c.at, c.started
	c.cpuLine.set(seconds(c.cpu), c.at)
	c.memoryLine.set(float64(c.mem), c.at)
	if c.limited {
		c.swapLimitLine.set(float64(c.memory/2&^4095), c.at)
	}
	c.swapLine.set(0, c.at)
}

// advanceLocked takes all samples that are due.
func (n *node) advanceLocked(now int64) {
	if n.mu.usage.advance(now) {
		n.mu.usage.render()
	}
	for _, p := range n.mu.pods {
		if p.advance(now) {
			p.render()
		}
		for _, c := range p.containers {
			if c.advance(now) {
				c.render()
			}
		}
	}
}
