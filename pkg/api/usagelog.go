// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// usageLog is pods and the usage of each, one after the other: a list of all pods is
// a snapshot in 56 bytes a pod, and ten at once are no burden. The zero usageLog is
// empty.
//
// Usage is as the store has posted it, and names of containers are those that the
// pods themselves have. The few pods of which nothing is posted (three containers or
// more, swap in use) have an empty Posted, and their usage in columns of its own.
type usageLog struct {
	// pods and posted are parallel.
	pods   []*objects.Pod
	posted []storage.Posted
	// others is the usage of those that are empty in posted, its containers left out:
	// they are in containers, those of one pod after the other.
	others     []loggedUsage
	containers []storage.ContainerUsage
}

// loggedUsage is a storage.PodUsage with so many containers.
type loggedUsage struct {
	time, window storage.Millis
	containers   int
}

// newUsageLog has room for so many pods.
func newUsageLog(pods int) usageLog {
	return usageLog{pods: make([]*objects.Pod, 0, pods), posted: make([]storage.Posted, 0, pods)}
}

// add adds a pod, and is where its usage is to be put as it is posted: at once, and
// where there is none, drop takes the pod back.
func (l *usageLog) add(pod *objects.Pod) *storage.Posted {
	l.pods = append(l.pods, pod)
	l.posted = append(l.posted, storage.Posted{})
	return &l.posted[len(l.posted)-1]
}

// drop takes back what add has added last.
func (l *usageLog) drop() {
	l.pods, l.posted = l.pods[:len(l.pods)-1], l.posted[:len(l.posted)-1]
}

// addOther adds a pod with usage that is not posted, which it copies.
func (l *usageLog) addOther(pod *objects.Pod, usage *storage.PodUsage) {
	l.add(pod)
	l.others = append(l.others, loggedUsage{usage.Time, usage.Window, len(usage.Containers)})
	l.containers = append(l.containers, usage.Containers...)
}

// items is the usage as items of a list, in one place one after the other.
func (l *usageLog) items(yield func(*wire.Item) bool) {
	var item wire.Item
	scratch := make([]storage.ContainerUsage, 0, 2)
	others, containers := l.others, l.containers
	for i, pod := range l.pods {
		if i%fetched == 0 {
			fetch(l.pods[i:min(i+fetched, len(l.pods))])
		}
		item.Namespace, item.Name, item.Labels = pod.Namespace, pod.Name, pod.Labels
		if posted := &l.posted[i]; posted.Len() > 0 {
			scratch = posted.Containers(scratch[:0], pod.Containers.Statuses)
			item.Time, item.Window, item.Containers = posted.Time, storage.Millis(posted.Window), scratch
		} else {
			n := others[0].containers
			item.Time, item.Window, item.Containers = others[0].time, others[0].window, containers[:n]
			others, containers = others[1:], containers[n:]
		}
		if !yield(&item) {
			return
		}
	}
}
