// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import "slices"

// ContainerUsage is the served usage of one container.
type ContainerUsage struct {
	Name string
	// CPU is in nanocores, Memory (the working set) and Swap in bytes.
	CPU, Memory, Swap uint64
	// HasSwap is false where the node reports no swap for the container.
	HasSwap bool
}

// PodUsage is the served usage of one pod: all of its running containers.
type PodUsage struct {
	// Time, by our clock, and Window are those of the container with the oldest
	// sample.
	Time, Window Millis
	// Containers is sorted by name and never empty.
	Containers []ContainerUsage
}

// NodeUsage is the served usage of one node.
type NodeUsage struct {
	Time, Window      Millis
	CPU, Memory, Swap uint64
	HasSwap           bool
}

// podAnswer is the last complete answer of one pod. The zero value is none.
type podAnswer struct {
	// time and window are those of PodUsage.
	time   Millis
	window int32
	// live says that the answer is of the newest commit: then its containers
	// are the pod's rows that have rowAnswered.
	live bool
	// joined is whether the cluster knew the pod when the answer was assembled;
	// where not, what must be in it is checked when it is read.
	joined bool
	// kept is the containers of an answer that is not live.
	kept *[]ContainerUsage
}

func (a *podAnswer) known() bool { return a.live || a.kept != nil }

// assemble is the answer of a pod from the rows that its newest batch lists; ok
// is false while it is incomplete, and then the last complete answer stays. It
// marks the rows that are part of it, whether or not it comes to be complete.
//
// Complete: every container that is listed and every container that runs, as
// far as the cluster knows, has a rate and a memory reading. A listed container
// that the cluster says is waiting or terminated is not waited for, so that a
// crash-looping neighbour never hides a pod; its sample counts only while it is
// fresh, and does not make the pod's older.
func assemble(names []string, rows []keptRow, statuses []ContainerStatus, known bool, m *moment) (answer podAnswer, ok bool) {
	if known {
		for i := range statuses {
			s := &statuses[i]
			if !s.Running {
				continue
			}
			if row := rowOf(names, s.Name, i); row < 0 || !rows[row].listed() {
				return podAnswer{}, false
			}
		}
	}
	var required, optional oldest
	for i := range rows {
		row := &rows[i]
		if !row.listed() {
			continue
		}
		waitedFor := !known || !stopped(statuses, names[i], i)
		if !row.rated() {
			if waitedFor {
				return podAnswer{}, false
			}
			continue
		}
		if waitedFor {
			required.add(row)
		} else {
			if !m.fresh(row.served) {
				continue
			}
			optional.add(row)
		}
		row.flags |= rowAnswered
	}
	if required.row == nil {
		required = optional
	}
	if required.row == nil {
		return podAnswer{}, false
	}
	return podAnswer{time: required.row.served, window: required.row.window, live: true, joined: known}, true
}

// oldest finds the row with the oldest sample.
type oldest struct{ row *keptRow }

func (o *oldest) add(row *keptRow) {
	if o.row == nil || row.served < o.row.served {
		o.row = row
	}
}

// rowOf is the index of name in names, -1 where it is not there. Both lists of a
// pod's containers are mostly in the same order, so that it is mostly at guess.
func rowOf(names []string, name string, guess int) int {
	if guess < len(names) && names[guess] == name {
		return guess
	}
	return slices.Index(names, name)
}

// stopped is whether the cluster says of a container that it does not run; a
// container that it does not mention may well run. The status is looked for at
// guess first.
func stopped(statuses []ContainerStatus, name string, guess int) bool {
	if guess < len(statuses) && statuses[guess].Name == name {
		return !statuses[guess].Running
	}
	for i := range statuses {
		if statuses[i].Name == name {
			return !statuses[i].Running
		}
	}
	return false
}

// covers is whether every running container is among containers.
func covers(containers []ContainerUsage, statuses []ContainerStatus) bool {
running:
	for _, s := range statuses {
		if !s.Running {
			continue
		}
		for i := range containers {
			if containers[i].Name == s.Name {
				continue running
			}
		}
		return false
	}
	return true
}
