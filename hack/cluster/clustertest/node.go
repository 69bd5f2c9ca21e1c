// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package clustertest

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// Node is a fake kubelet and the pods that it runs. Its Node object is its owner's
// affair.
type Node struct {
	*kubelettest.Kubelet
	mu   sync.Mutex
	pods map[string]kubelettest.Pod // by namespace/name
	skew time.Duration
}

// NewNode is a node without pods. From here on the kubelet's usage is the node's.
func NewNode(kubelet *kubelettest.Kubelet) *Node {
	n := &Node{Kubelet: kubelet, pods: map[string]kubelettest.Pod{}}
	n.SetUsage(usageOf(nil))
	return n
}

// SetSkew sets how far the node's clock is ahead: in what the kubelet answers
// from now on, in place of another fault, and in what it writes of pods that
// start.
func (n *Node) SetSkew(skew time.Duration) {
	n.mu.Lock()
	n.skew = skew
	n.mu.Unlock()
	n.SetFault(kubelettest.Fault{Skew: skew})
}

// clock is the time by the node's clock, and how far that is ahead.
func (n *Node) clock() (now time.Time, skew time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Now().Add(n.skew), n.skew
}

// Change changes the pods that the kubelet runs, which are named by
// namespace/name, beyond what their objects say.
func (n *Node) Change(change func(pods map[string]kubelettest.Pod)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n.pods)
	n.SetUsage(usageOf(n.pods))
}

// Pods are the pods that the kubelet runs, by namespace/name.
func (n *Node) Pods() map[string]kubelettest.Pod {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.pods)
}

// usageOf is what a node uses that runs the pods.
func usageOf(pods map[string]kubelettest.Pod) kubelettest.Usage {
	usage := kubelettest.Usage{CPU: 500e6, Memory: 1 << 30, Booted: time.Now().Add(-time.Hour)}
	for _, pod := range pods {
		usage.Pods = append(usage.Pods, pod)
	}
	slices.SortFunc(usage.Pods, func(a, b kubelettest.Pod) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return usage
}
