// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"math"
	"slices"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// usageLog is pods and the usage of each, one after the other, in half of the
// memory that storage.PodUsage takes: 58 bytes a pod of two containers. A list of
// all pods is thus a snapshot for little, and ten at once are no burden. The zero
// usageLog is empty.
//
// Names of containers are those that the pods themselves have, by their index.
// What hardly any container has (swap in use, a name that the pod's status does
// not mention) is in columns of its own.
type usageLog struct {
	pods    []*objects.Pod
	samples []loggedSample
	// heads and amounts are parallel: the containers of one pod after the other.
	heads   []loggedHead
	amounts []loggedAmount
	// swap is that of the heads with headSwap, names those of headNamed.
	swap  []uint64
	names []string
}

// loggedSample is a pod's sample.
type loggedSample struct {
	time       storage.Millis
	window     int32 // storage.Options.Validate keeps it from overflowing
	containers int32
}

// loggedAmount is what a container uses.
type loggedAmount struct{ cpu, memory uint64 }

// loggedHead is the index of a container in its pod's statuses, headNamed where
// it is not there, and flags.
type loggedHead uint8

const (
	headNamed    loggedHead = 1<<6 - 1
	headSwap     loggedHead = 1 << 6 // The container has swap in use.
	headReported loggedHead = 1 << 7 // Its node reports swap.
)

// newUsageLog has room for so many pods of two containers.
func newUsageLog(pods int) usageLog {
	return usageLog{
		pods:    make([]*objects.Pod, 0, pods),
		samples: make([]loggedSample, 0, pods),
		heads:   make([]loggedHead, 0, 2*pods),
		amounts: make([]loggedAmount, 0, 2*pods),
	}
}

// add adds the usage of one pod.
func (l *usageLog) add(pod *objects.Pod, usage *storage.PodUsage) {
	l.pods = append(l.pods, pod)
	l.samples = append(l.samples, loggedSample{
		time:       usage.Time,
		window:     int32(min(usage.Window, math.MaxInt32)),
		containers: int32(len(usage.Containers)),
	})
	statuses := pod.Containers.Statuses
	for i := range usage.Containers {
		c := &usage.Containers[i]
		head := headOf(statuses, c.Name, i)
		if head == headNamed {
			l.names = append(l.names, c.Name)
		}
		if c.HasSwap {
			head |= headReported
		}
		if c.Swap != 0 {
			head |= headSwap
			l.swap = append(l.swap, c.Swap)
		}
		l.heads = append(l.heads, head)
		l.amounts = append(l.amounts, loggedAmount{cpu: c.CPU, memory: c.Memory})
	}
}

// headOf is the head of a container of that name, whose status is mostly at
// guess.
func headOf(statuses []storage.ContainerStatus, name string, guess int) loggedHead {
	if guess < min(len(statuses), int(headNamed)) && statuses[guess].Name == name {
		return loggedHead(guess)
	}
	for i := range statuses[:min(len(statuses), int(headNamed))] {
		if statuses[i].Name == name {
			return loggedHead(i)
		}
	}
	return headNamed
}

// items is the usage as items of a list, in one place one after the other.
func (l *usageLog) items(yield func(*wire.Item) bool) {
	item := wire.Item{Containers: make([]storage.ContainerUsage, 0, 4)}
	heads, amounts, swap, names := l.heads, l.amounts, l.swap, l.names
	for i, pod := range l.pods {
		if i%fetched == 0 {
			fetch(l.pods[i:min(i+fetched, len(l.pods))])
		}
		sample := &l.samples[i]
		item.Namespace, item.Name, item.Labels = pod.Namespace, pod.Name, pod.Labels
		item.Time, item.Window = sample.time, storage.Millis(sample.window)
		n := int(sample.containers)
		item.Containers = slices.Grow(item.Containers[:0], n)[:n]
		for j, head := range heads[:n] {
			c := &item.Containers[j]
			c.CPU, c.Memory, c.Swap, c.HasSwap = amounts[j].cpu, amounts[j].memory, 0, head&headReported != 0
			if index := head & headNamed; index != headNamed {
				c.Name = pod.Containers.Statuses[index].Name
			} else {
				c.Name, names = names[0], names[1:]
			}
			if head&headSwap != 0 {
				c.Swap, swap = swap[0], swap[1:]
			}
		}
		heads, amounts = heads[n:], amounts[n:]
		if !yield(&item) {
			return
		}
	}
}
