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
	usage PodUsage
	// joined is whether the cluster knew the pod when the answer was assembled;
	// where not, what must be in it is checked when it is read.
	joined bool
}

func (a podAnswer) known() bool { return len(a.usage.Containers) > 0 }

// assemble is the answer of a pod from the rows that its newest batch lists; ok
// is false while it is incomplete, and then the last complete answer stays.
//
// Complete: every container that is listed and every container that runs, as
// far as the cluster knows, has a rate and a memory reading. A listed container
// that the cluster says is waiting or terminated is not waited for, so that a
// crash-looping neighbour never hides a pod; its sample counts only while it is
// fresh, and does not make the pod's older.
//
// The containers are appended to arena, which the answer shares.
func assemble(arena []ContainerUsage, names []string, rows []usageRow, statuses []ContainerStatus, known bool, m moment) (grown []ContainerUsage, answer podAnswer, ok bool) {
	if known {
		for _, s := range statuses {
			if s.Running && !listed(names, rows, s.Name) {
				return arena, podAnswer{}, false
			}
		}
	}
	first := len(arena)
	var required, optional oldest
	for i := range rows {
		row := &rows[i]
		if !row.listed {
			continue
		}
		waitedFor := !known || !stopped(statuses, names[i])
		if !row.rate.known() || row.sample.Has&HasMemory == 0 {
			if waitedFor {
				return arena[:first], podAnswer{}, false
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
		arena = append(arena, ContainerUsage{
			Name:    names[i],
			CPU:     row.rate.nanoCores,
			Memory:  row.sample.Memory,
			Swap:    row.sample.Swap,
			HasSwap: row.sample.Has&HasSwap != 0,
		})
	}
	if len(arena) == first {
		return arena, podAnswer{}, false
	}
	if required.row == nil {
		required = optional
	}
	answer.usage = PodUsage{
		Time:       required.row.served,
		Window:     required.row.rate.window,
		Containers: arena[first:len(arena):len(arena)],
	}
	answer.joined = known
	return arena, answer, true
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

// covers is whether every running container is in the answer.
func (a podAnswer) covers(statuses []ContainerStatus) bool {
running:
	for _, s := range statuses {
		if !s.Running {
			continue
		}
		for i := range a.usage.Containers {
			if a.usage.Containers[i].Name == s.Name {
				continue running
			}
		}
		return false
	}
	return true
}
