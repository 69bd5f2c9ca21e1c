// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

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
// is false while it is incomplete, and then the last complete answer stays.
// answered[i] says whether row i is part of it.
//
// Complete: every container that is listed and every container that runs, as
// far as the cluster knows, has a rate and a memory reading. A listed container
// that the cluster says is waiting or terminated is not waited for, so that a
// crash-looping neighbour never hides a pod; its sample counts only while it is
// fresh, and does not make the pod's older.
func assemble(names []string, rows []usageRow, answered []bool, statuses []ContainerStatus, known bool, m moment) (answer podAnswer, ok bool) {
	if known {
		for _, s := range statuses {
			if s.Running && !listed(names, rows, s.Name) {
				return podAnswer{}, false
			}
		}
	}
	var required, optional oldest
	for i := range rows {
		row := &rows[i]
		answered[i] = false
		if !row.listed {
			continue
		}
		waitedFor := !known || !stopped(statuses, names[i])
		if !row.rate.known() || row.sample.Has&HasMemory == 0 {
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
		answered[i] = true
	}
	if required.row == nil {
		required = optional
	}
	if required.row == nil {
		return podAnswer{}, false
	}
	return podAnswer{time: required.row.served, window: int32(required.row.rate.window), live: true, joined: known}, true
}

// oldest finds the row with the oldest sample.
type oldest struct{ row *usageRow }

func (o *oldest) add(row *usageRow) {
	if o.row == nil || row.served < o.row.served {
		o.row = row
	}
}

func listed(names []string, rows []usageRow, name string) bool {
	for i := range rows {
		if names[i] == name {
			return rows[i].listed
		}
	}
	return false
}

// stopped is whether the cluster says of a container that it does not run; a
// container that it does not mention may well run.
func stopped(statuses []ContainerStatus, name string) bool {
	for _, s := range statuses {
		if s.Name == name {
			return !s.Running
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
