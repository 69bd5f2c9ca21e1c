// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"math"
	"time"

	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/metrics-apiserver/metrics-apiserver/hack/chaos/rig"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// truth is what must be served of some nodes, and what was found instead.
type truth struct {
	// pods is what each pod uses, by its name.
	pods map[string]kubelettest.Pod
	// within is how far a value may be off, as a share; 0 checks none.
	within float64
	// skewed says that nodes' clocks are off, so that times are not those that
	// the kubelets gave.
	skewed bool

	answers                              int
	missing, values, times, future, aged findings
	oldest                               time.Duration
}

// truthOf is the truth of nodes as they are now.
func truthOf(nodes ...*rig.Node) *truth {
	t := &truth{pods: map[string]kubelettest.Pod{}}
	for _, node := range nodes {
		for _, pod := range node.Pods() {
			t.pods[pod.Name] = pod
		}
	}
	return t
}

// hold holds an answer against the truth: nothing is missing or older than that,
// and all of it is right.
func (t *truth) hold(served map[string]metricsv1beta1.PodMetrics, age time.Duration) {
	now := time.Now()
	for name, pod := range t.pods {
		t.answers++
		usage, ok := served[name]
		if !ok {
			t.missing.add("%s at %s", name, now.Format(time.TimeOnly))
			continue
		}
		t.one(now, pod, &usage, age)
	}
}

func (t *truth) one(now time.Time, pod kubelettest.Pod, usage *metricsv1beta1.PodMetrics, age time.Duration) {
	at := usage.Timestamp.Time
	t.oldest = max(t.oldest, now.Sub(at))
	if now.Sub(at) > age {
		t.aged.add("%s: %v old", pod.Name, now.Sub(at))
	}
	if at.After(now) {
		t.future.add("%s: %v ahead", pod.Name, at.Sub(now))
	}
	if !t.skewed && !genuine(pod, at) {
		t.times.add("%s: no sample is of %s", pod.Name, at.Format(time.TimeOnly))
	}
	if len(usage.Containers) != len(pod.Containers) {
		t.missing.add("%s: %d containers of %d", pod.Name, len(usage.Containers), len(pod.Containers))
		return
	}
	for i, c := range usage.Containers {
		cpu, memory := float64(c.Usage.Cpu().ScaledValue(-9)), float64(c.Usage.Memory().Value())
		want := pod.Containers[i]
		if off(cpu, float64(want.CPU)) > t.within || off(memory, float64(want.Memory)) > t.within {
			t.values.add("%s/%s: %v CPU and %v memory, want %d n and %d", pod.Name, c.Name, c.Usage.Cpu(), c.Usage.Memory(), want.CPU, want.Memory)
		}
	}
}

// off is how far a value is off, as a share of what it should be.
func off(got, want float64) float64 {
	if want == 0 {
		return got
	}
	return math.Abs(got-want) / want
}

// genuine is whether a container of the pod has a sample of that second.
func genuine(pod kubelettest.Pod, second time.Time) bool {
	for _, c := range pod.Containers {
		if r, ok := c.At(pod, second.Add(time.Second-time.Millisecond)); ok && !r.Time.Before(second) {
			return true
		}
	}
	return false
}
