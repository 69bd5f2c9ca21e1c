// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"maps"
	"math"
	"math/big"
	"slices"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// naive is the store as it would be written by who has the rules in mind and
// nothing else: maps, every accepted sample kept for ever, rates computed from
// them when they are asked for. There is one for each node.
type naive struct {
	resolution storage.Millis
	status     func(namespace, name string) ([]storage.ContainerStatus, bool)

	scraped    bool
	offset     storage.Millis
	era        int // counts what may be different clocks
	unsettled  bool
	steady     storage.Millis
	containers map[storage.ContainerKey]*naiveContainer
	answers    map[storage.ContainerKey]naiveAnswer // Container is empty in the keys
	self       naiveContainer
	selfAnswer *storage.NodeUsage
}

// naiveContainer is a container and all its accepted samples.
type naiveContainer struct {
	listed  bool
	samples []naiveSample
	gauges  storage.Sample // Memory, Swap and their bits
	future  storage.Millis // the time of the sample last refused as such
}

type naiveSample struct {
	storage.Sample
	ours      storage.Millis // its time by our clock
	era       int
	fromStart bool // at that time, a start could be trusted
	estimate  uint64
}

// naiveAnswer is a complete answer; usage is nil once it was cleared away.
type naiveAnswer struct {
	usage  *storage.PodUsage
	joined bool
}

func newNaive(resolution storage.Millis, status func(namespace, name string) ([]storage.ContainerStatus, bool)) *naive {
	return &naive{
		resolution: resolution, status: status,
		containers: map[storage.ContainerKey]*naiveContainer{}, answers: map[storage.ContainerKey]naiveAnswer{},
	}
}

func (n *naive) bound() storage.Millis { return max(3*n.resolution, 2*n.resolution+30_000) }

func (n *naive) commit(b *storage.Batch) (result storage.CommitResult) {
	era := n.eraOf(b)
	for _, c := range n.containers {
		c.listed = false
	}
	if b.Layout != nil {
		for _, p := range b.Layout.Pods {
			for row := p.First; row < p.End; row++ {
				key := storage.ContainerKey{Namespace: p.Namespace, Pod: p.Name, Container: b.Layout.Containers[row]}
				c := n.containers[key]
				if c == nil {
					c = &naiveContainer{}
					n.containers[key] = c
				}
				c.listed = true
				var estimate uint64
				if b.Estimates != nil {
					estimate = b.Estimates[row]
				}
				n.take(c, b.Samples[row], estimate, b, era, &result)
				result.Containers++
				if _, _, ok := n.rate(c); !ok {
					result.Unrated++
				}
			}
		}
	}
	maps.DeleteFunc(n.containers, func(_ storage.ContainerKey, c *naiveContainer) bool {
		return !c.listed && b.Received-c.ours() > n.bound()
	})
	n.answerPods(b.Received)
	n.answerSelf(b, era, &result)
	return result
}

// eraOf counts the eras: an answer with another offset than the one before has
// an era of its own, because its samples may be by the old clock or the new.
func (n *naive) eraOf(b *storage.Batch) int {
	step := b.Offset - n.offset
	switch {
	case !n.scraped:
		n.scraped = true
	case step != 0:
		n.era++
		n.unsettled = true
		n.steady = max(n.steady, b.Received+2*n.resolution+min(max(step, 0), 24*3_600_000))
	case n.unsettled:
		n.era++
		n.unsettled = false
	}
	n.offset = b.Offset
	return n.era
}

// take is one sample of a container.
func (n *naive) take(c *naiveContainer, s storage.Sample, estimate uint64, b *storage.Batch, era int, result *storage.CommitResult) {
	for bit, value := range map[storage.Fields]*uint64{storage.HasMemory: &s.Memory, storage.HasSwap: &s.Swap} {
		if s.Has&bit != 0 && *value > math.MaxInt64 {
			s.Has &^= bit
			result.Refused[storage.RefusedOverflow]++
		}
		if s.Has&bit == 0 {
			*value = 0
		}
	}
	if estimate > maxCores {
		estimate = 0
		result.Refused[storage.RefusedOverflow]++
	}
	s.Start = max(s.Start, 0)
	if s.Has&storage.HasCPU == 0 {
		c.gauge(s)
		return
	}
	if s.Time > b.Received-b.Offset+2000 {
		c.future = s.Time
		result.Refused[storage.RefusedFuture]++
		return
	}
	if s.Time < s.Start {
		result.Refused[storage.RefusedBeforeStart]++
		return
	}
	taken := naiveSample{
		Sample: s, ours: min(s.Time+b.Offset, b.Received), era: era,
		fromStart: b.Received >= n.steady, estimate: estimate,
	}
	if s.Time == c.future && b.Received < n.steady {
		taken.era = -1 - len(c.samples) // of an era of its own
	}
	if len(c.samples) > 0 {
		last := &c.samples[len(c.samples)-1]
		switch {
		case s.Time == last.Time:
			c.gauge(s)
			if _, _, ok := n.rate(c); !ok {
				last.estimate = estimate
			}
			return
		case taken.era == last.era && (s.Time < last.Time || s.Start != 0 && s.Start < last.Start):
			result.Refused[storage.RefusedOutOfOrder]++
			return
		}
		if !anotherRun(last, &taken) {
			if s.Start == 0 {
				taken.Start = last.Start
			}
			if taken.era == last.era && s.Time-last.Time < 1000 {
				c.gauge(s)
				return
			}
		}
	}
	c.future = 0
	c.samples = append(c.samples, taken)
	c.gauges = s
	if n.overflows(c) {
		result.Refused[storage.RefusedOverflow]++
	}
}

func (c *naiveContainer) gauge(s storage.Sample) { c.gauges = s }

func (c *naiveContainer) ours() storage.Millis {
	if len(c.samples) == 0 {
		return 0
	}
	return c.samples[len(c.samples)-1].ours
}

func anotherRun(last, next *naiveSample) bool {
	switch {
	case next.Start == 0:
		return false
	case last.Start == 0:
		return next.era == last.era && next.Start > last.Time
	}
	return next.Start != last.Start
}

const maxCores = 1 << 20 * 1_000_000_000

// perSecond is exact, and -1 where it cannot be served.
func perSecond(cpu uint64, window storage.Millis) int64 {
	r := new(big.Int).SetUint64(cpu)
	r.Mul(r, big.NewInt(1000)).Div(r, big.NewInt(int64(window)))
	if r.Cmp(big.NewInt(maxCores)) > 0 {
		return -1
	}
	return r.Int64()
}

// measured is the rate by counters alone; ok is false where there is none,
// nanoCores -1 where it cannot be served.
func (n *naive) measured(c *naiveContainer) (nanoCores int64, window storage.Millis, ok bool) {
	if len(c.samples) == 0 {
		return 0, 0, false
	}
	last := &c.samples[len(c.samples)-1]
	startCounts := true
	if len(c.samples) > 1 {
		previous := &c.samples[len(c.samples)-2]
		sameEra := previous.era == last.era
		if !anotherRun(previous, last) {
			window := last.Time - previous.Time
			if !sameEra || last.CPU < previous.CPU || window > n.bound() {
				return 0, 0, false
			}
			return perSecond(last.CPU-previous.CPU, window), window, true
		}
		startCounts = sameEra && last.Start > previous.Time
	}
	age := last.Time - last.Start
	if !startCounts || !last.fromStart || last.Start == 0 || age < 10_000 || age > 2*n.resolution {
		return 0, 0, false
	}
	return perSecond(last.CPU, age), age, true
}

func (n *naive) overflows(c *naiveContainer) bool {
	r, _, ok := n.measured(c)
	return ok && r < 0
}

// rate is the rate to be served: measured, or else the kubelet's own.
func (n *naive) rate(c *naiveContainer) (nanoCores uint64, window storage.Millis, ok bool) {
	if r, w, ok := n.measured(c); ok && r >= 0 {
		return uint64(r), w, true
	}
	if len(c.samples) == 0 {
		return 0, 0, false
	}
	last := &c.samples[len(c.samples)-1]
	window = 20_000
	if last.Start != 0 {
		window = min(window, last.Time-last.Start)
	}
	return last.estimate, window, last.estimate != 0 && window > 0
}

func podOf(k storage.ContainerKey) storage.ContainerKey {
	return storage.ContainerKey{Namespace: k.Namespace, Pod: k.Pod}
}

// answerPods replaces the answers of those pods that are complete.
func (n *naive) answerPods(now storage.Millis) {
	listed := map[storage.ContainerKey][]storage.ContainerKey{}
	for key, c := range n.containers {
		if c.listed {
			listed[podOf(key)] = append(listed[podOf(key)], key)
		}
	}
	for pod, keys := range listed {
		slices.SortFunc(keys, storage.ContainerKey.Compare)
		usage, joined := n.complete(pod, keys, now)
		old := n.answers[pod]
		if usage == nil || now-usage.Time > n.bound() && old.usage != nil && now-old.usage.Time <= n.bound() {
			continue
		}
		n.answers[pod] = naiveAnswer{usage: usage, joined: joined}
	}
	for pod, a := range n.answers {
		if now-a.usage.Time > n.bound() && (listed[pod] == nil || !n.isComplete(pod, listed[pod], now)) {
			delete(n.answers, pod)
		}
	}
}

func (n *naive) isComplete(pod storage.ContainerKey, keys []storage.ContainerKey, now storage.Millis) bool {
	usage, _ := n.complete(pod, keys, now)
	return usage != nil
}

// complete is the answer that a pod's listed containers make, nil where one that
// is needed is missing.
func (n *naive) complete(pod storage.ContainerKey, keys []storage.ContainerKey, now storage.Millis) (usage *storage.PodUsage, joined bool) {
	statuses, known := n.status(pod.Namespace, pod.Pod)
	idle := map[string]bool{}
	if known {
		for _, s := range statuses {
			idle[s.Name] = !s.Running
			if s.Running && !slices.ContainsFunc(keys, func(k storage.ContainerKey) bool { return k.Container == s.Name }) {
				return nil, known
			}
		}
	}
	usage = &storage.PodUsage{Time: math.MaxInt64}
	lazy := storage.PodUsage{Time: math.MaxInt64} // of the containers that are not needed
	for _, key := range keys {
		c := n.containers[key]
		nanoCores, window, ok := n.rate(c)
		ok = ok && c.gauges.Has&storage.HasMemory != 0
		switch {
		case !ok && !idle[key.Container]:
			return nil, known
		case !ok, idle[key.Container] && now-c.ours() > n.bound():
			continue
		}
		oldest := usage
		if idle[key.Container] {
			oldest = &lazy
		}
		if c.ours() < oldest.Time {
			oldest.Time, oldest.Window = c.ours(), window
		}
		usage.Containers = append(usage.Containers, storage.ContainerUsage{
			Name: key.Container, CPU: nanoCores, Memory: c.gauges.Memory, Swap: c.gauges.Swap,
			HasSwap: c.gauges.Has&storage.HasSwap != 0,
		})
	}
	if usage.Time == math.MaxInt64 {
		usage.Time, usage.Window = lazy.Time, lazy.Window
	}
	if len(usage.Containers) == 0 {
		return nil, known
	}
	return usage, known
}

func (n *naive) answerSelf(b *storage.Batch, era int, result *storage.CommitResult) {
	n.take(&n.self, b.Usage, b.UsageEstimate, b, era, result)
	nanoCores, window, ok := n.rate(&n.self)
	if ok && n.self.gauges.Has&storage.HasMemory != 0 {
		n.selfAnswer = &storage.NodeUsage{
			Time: n.self.ours(), Window: window, CPU: nanoCores, Memory: n.self.gauges.Memory,
			Swap: n.self.gauges.Swap, HasSwap: n.self.gauges.Has&storage.HasSwap != 0,
		}
	} else if b.Usage.Has&storage.HasCPU != 0 {
		result.Unrated++
	}
}

// pod is what a read gives.
func (n *naive) pod(q storage.PodQuery, now storage.Millis) (storage.PodUsage, storage.Absence) {
	if !n.scraped {
		return storage.PodUsage{}, storage.NotScraped
	}
	pod := storage.ContainerKey{Namespace: q.Namespace, Pod: q.Name}
	a, answered := n.answers[pod]
	if !answered {
		for key := range n.containers {
			if podOf(key) == pod {
				return storage.PodUsage{}, storage.NoRate
			}
		}
		return storage.PodUsage{}, storage.NotReported
	}
	if now-a.usage.Time > n.bound() || a.usage.Time > now+2_000 {
		return storage.PodUsage{}, storage.Stale
	}
	if q.Started != 0 && a.usage.Time < q.Started+n.offset {
		return storage.PodUsage{}, storage.Predates
	}
	for _, s := range q.Containers {
		if !a.joined && s.Running && !slices.ContainsFunc(a.usage.Containers, func(c storage.ContainerUsage) bool { return c.Name == s.Name }) {
			return storage.PodUsage{}, storage.Incomplete
		}
	}
	return *a.usage, storage.Present
}

// node is what a read of the node gives.
func (n *naive) node(now storage.Millis) (storage.NodeUsage, storage.Absence) {
	switch {
	case !n.scraped:
		return storage.NodeUsage{}, storage.NotScraped
	case n.selfAnswer == nil:
		return storage.NodeUsage{}, storage.NoRate
	case now-n.selfAnswer.Time > n.bound() || n.selfAnswer.Time > now+2_000:
		return storage.NodeUsage{}, storage.Stale
	}
	return *n.selfAnswer, storage.Present
}
