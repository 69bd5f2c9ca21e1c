// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import "fmt"

// A Source is one document of a kubelet.
type Source uint8

// The sources.
const (
	// Resource is /metrics/resource: CPU, memory and swap of containers, pods and
	// the node. It is read of every node in any case.
	Resource Source = iota
	// Cadvisor is /metrics/cadvisor: everything of containers and pods.
	Cadvisor
	// Summary is /stats/summary, as far as the other two lack it: volumes,
	// ephemeral storage, inodes. Its series have names of ours.
	Summary
	// Sources is how many there are.
	Sources
)

// Rules is not among the sources, and no document of a kubelet: it stands for the
// results of rules, where samples of both kinds are asked for.
const Rules = Sources

// String is the source's name in configuration and in metrics.
func (s Source) String() string {
	switch s {
	case Resource:
		return "resource"
	case Cadvisor:
		return "cadvisor"
	case Summary:
		return "summary"
	case Rules:
		return "rules"
	default:
		return fmt.Sprintf("source %d", uint8(s))
	}
}

// SourceNamed is the source whose String is name.
func SourceNamed(name string) (source Source, ok bool) {
	for source := range Sources {
		if source.String() == name {
			return source, true
		}
	}
	return 0, false
}

// Path is where kubelets serve it.
func (s Source) Path() string {
	switch s {
	case Resource:
		return "/metrics/resource"
	case Cadvisor:
		return "/metrics/cadvisor"
	case Summary:
		return "/stats/summary"
	default:
		panic("BUG: no such source")
	}
}

// A SourceSet is a set of sources.
type SourceSet uint8

// SourceSetOf is the set of sources.
func SourceSetOf(sources ...Source) SourceSet {
	var set SourceSet
	for _, s := range sources {
		set |= 1 << s
	}
	return set
}

// Has says whether source is in the set.
func (s SourceSet) Has(source Source) bool { return s&(1<<source) != 0 }
