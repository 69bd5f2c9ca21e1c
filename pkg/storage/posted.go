// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

// Posted is a pod's usage as its post has it: a PodUsage in a third of the memory
// and without a pointer, as long as the statuses of the pod's containers, which have
// their names, are kept beside it. A list of all pods is made of these. The zero
// Posted has no container.
type Posted struct {
	// Time and Window are those of PodUsage.
	Time    Millis
	Window  int32 // in milliseconds, too
	shape   shape
	numbers [2 * maxPosted]uint64
}

// Len is how many containers there are.
func (u *Posted) Len() int { return u.shape.len() }

// Container is the usage of one of the containers, and the index of its status.
func (u *Posted) Container(i int) (status int, cpu, memory uint64, hasSwap bool) {
	return u.shape.status(i), u.numbers[2*i&3], u.numbers[(2*i+1)&3], u.shape.hasSwap(i)
}

// Containers appends the usage of the containers to dst. The statuses are those of
// the query that gave u.
func (u *Posted) Containers(dst []ContainerUsage, statuses []ContainerStatus) []ContainerUsage {
	for i := range u.shape.len() {
		status, cpu, memory, hasSwap := u.Container(i)
		dst = append(dst, ContainerUsage{Name: statuses[status].Name, CPU: cpu, Memory: memory, HasSwap: hasSwap})
	}
	return dst
}

// Fetch reads of the pod's post what Store.Pod reads last, and says nothing. Who
// asks for many pods calls it for some of them ahead, to wait for memory once.
func (p *PodPlace) Fetch() int64 { return p.post.time.Load() }

// Posted puts into dst, whatever is in it, the usage that Pod gives for q at the
// moment now, where the pod has posted it. Where ok is false, dst is of no use, and
// Pod gives usage all the same, or says why there is none. It keeps no reference to q.
func (s *Store) Posted(dst *Posted, q *PodQuery, now Millis) (ok bool) {
	if q.Place == nil || q.NodePlace == nil || len(q.Containers) == 0 {
		return false
	}
	p := &q.Place.post
	version, shape := p.version.Load(), shape(p.shape.Load())
	node := p.node.Load()
	if shape == 0 || node == nil || node != q.NodePlace.slot.Load() || node.store != s || node.node != q.Node || node.state.Load() == nil || p.statuses.Load() != &q.Containers[0] {
		return false
	}
	dst.Time, dst.Window, dst.shape = Millis(p.time.Load()), p.window.Load(), shape
	started := q.Started + Millis(p.offset.Load())
	for i := range dst.numbers {
		dst.numbers[i] = p.numbers[i].Load()
	}
	if version&1 != 0 || p.version.Load() != version { // It was being written.
		return false
	}
	return !s.stale(dst.Time, now) && (q.Started == 0 || dst.Time >= started)
}
