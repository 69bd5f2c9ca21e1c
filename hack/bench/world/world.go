// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

const (
	// replicas is how many pods a workload has, and workloads how many of them
	// are in a namespace. An HPA lists one workload in one namespace.
	replicas  = 10
	workloads = 30
	// idleEvery is how many pods there are for each one that is idle.
	idleEvery = 10
)

// World is a simulated cluster.
type World struct {
	// Nodes is how many nodes it has, Pods how many pods each node has, and
	// Containers how many containers each pod has.
	Nodes, Pods, Containers int
	// Selecting says that the kubelets are of Kubernetes 1.37 and leave out families
	// that a request does not name; else they are of 1.36.
	Selecting bool
	// Epoch is when the simulation began. All pods of generation 0 are older.
	Epoch time.Time
}

// Node returns the name of the node at an index.
func (w World) Node(node int) string { return fmt.Sprintf("node-%05d", node) }

// Address returns where the kubelet of a node listens: an address of the
// loopback range of its own.
func (w World) Address(node int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(1 + node/62500), byte(node / 250 % 250), byte(1 + node%250)})
}

// NodeAt returns the node that has an address, and whether there is one.
func (w World) NodeAt(address netip.Addr) (int, bool) {
	b := address.Unmap().As4()
	node := (int(b[1])-1)*62500 + int(b[2])*250 + int(b[3]) - 1
	return node, b[0] == 127 && node >= 0 && node < w.Nodes && w.Address(node) == address.Unmap()
}

// KubeletVersion returns what the kubelets say they are.
func (w World) KubeletVersion() string {
	if w.Selecting {
		return "v1.37.0"
	}
	return "v1.36.3"
}

// TotalPods returns how many pods there are on all nodes.
func (w World) TotalPods() int { return w.Nodes * w.Pods }

// Index returns the index of the pod in a slot of a node.
func (w World) Index(node, slot int) int { return slot*w.Nodes + node }

// Namespaces returns the names of all namespaces.
func (w World) Namespaces() []string {
	var names []string
	for i := 0; i < w.TotalPods(); i += replicas * workloads {
		names = append(names, namespace(i))
	}
	return names
}

// namespace is that of the pod at an index. Names are such that their order is
// that of the indices.
func namespace(index int) string { return fmt.Sprintf("team-%04d", index/(replicas*workloads)) }

// Pod is one run of a pod. Two runs at one index have different names.
type Pod struct {
	Index, Generation int
	Namespace, Name   string
	// Workload is the name of the Deployment and Hash that of its ReplicaSet.
	Workload, Hash string
	// Node is the index of its node.
	Node int
	// Idle says that its containers use nothing at all.
	Idle bool
	// Started is when its containers started, in whole milliseconds.
	Started time.Time
}

// Pod returns the pod at an index. The start of a generation other than 0 is
// for the caller to set.
func (w World) Pod(index, generation int) Pod {
	workload := index / replicas
	p := Pod{
		Index: index, Generation: generation,
		Namespace: namespace(index),
		Workload:  names()[workload%len(names())] + fmt.Sprintf("-%02d", workload%workloads),
		Hash:      letters(mix(uint64(workload), 1), 10),
		Node:      index % w.Nodes,
		Idle:      mix(uint64(index), 2)%idleEvery == 0,
	}
	p.Name = p.Workload + "-" + p.Hash + "-" + letters(mix(uint64(index), 3+uint64(generation)), 5)
	if generation == 0 {
		// From an hour to a month before the epoch.
		age := time.Hour + time.Duration(mix(uint64(index), 1<<32)%uint64(30*24*time.Hour))
		p.Started = w.Epoch.Add(-age).Truncate(time.Millisecond)
	}
	return p
}

// Container is what is steady about one container.
type Container struct {
	Name string
	// CPU is what it uses on average, in nanocores, and Memory its working set,
	// in bytes.
	CPU, Memory uint64
	// SwapLimit says that the kubelet reports a limit on its swap, which it does
	// for those with a memory limit.
	SwapLimit bool
}

// Container returns a container of a pod.
func (w World) Container(pod Pod, container int) Container {
	names := [...]string{"main", "proxy", "agent"}
	c := Container{Name: fmt.Sprintf("sidecar-%d", container), SwapLimit: container == 0}
	if container < len(names) {
		c.Name = names[container]
	}
	h := mix(uint64(pod.Index)<<8+uint64(container), 4)
	c.Memory = (8<<20 + h%(512<<20)) &^ 4095
	if !pod.Idle {
		// From 1 to 400 millicores, most of them few.
		c.CPU = 1_000_000 + h>>32%20*(h>>40%20)*1_000_000
	}
	return c
}

// names are what workloads are called.
func names() []string {
	return strings.Fields("checkout catalog search cart payment shipping email recommendation frontend gateway session inventory")
}

// letters spells a number in n of the letters that Kubernetes uses in names.
func letters(h uint64, n int) string {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[h%uint64(len(alphabet))]
		h /= uint64(len(alphabet))
	}
	return string(b)
}

// mix is a number that looks random and is the same for the same arguments.
func mix(a, b uint64) uint64 {
	h := a*0x9e3779b97f4a7c15 + b*0xd1342543de82ef95 + 0x632be59bd9b4e019
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// UID returns the pod's UID.
func (p Pod) UID() string {
	a, b := mix(uint64(p.Index), 5+uint64(p.Generation)), mix(uint64(p.Index), 1<<33+uint64(p.Generation))
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(a), uint16(a>>32), a>>52, b&0xfff, b>>16)
}

// Idle returns the share of pods that are idle.
func (World) Idle() float64 { return 1.0 / idleEvery }
