// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"runtime"
	"sync/atomic"
)

// A commit posts the answer of a pod that the cluster knows at the pod's own
// place, too. Whoever lists pods comes by there anyway, while the node's columns
// are eight pointers away, and each of those waits for memory: pods of a namespace
// are spread over all nodes. A post is what all but a few answers are: one or two
// containers, no swap in use. Where there is none, or it is of no use, Pod looks
// at the node's state, which says the same (TestJoin in pkg/api).

// maxPosted is how many containers a post has room for.
const maxPosted = 2

// post is the newest answer of a pod, in memory of its own that is written again
// and again. All of it is atomic, because it is read while it is written; version
// is odd meanwhile, and who read two different ones has read nothing.
type post struct {
	version atomic.Uint32
	// shape says what is in it; 0 is nothing.
	shape atomic.Uint32
	// index is where PodPlace remembers the pod, and no part of the answer: it is
	// here because here is room for it.
	index atomic.Int32
	// window is the answer's.
	window atomic.Int32
	// node is where the answer comes from.
	node atomic.Pointer[nodeSlot]
	// statuses is the first of those that the answer was assembled with: the
	// names of the containers are taken from them, as long as they are the pod's.
	statuses atomic.Pointer[ContainerStatus]
	// time is the answer's, offset is the node's.
	time, offset atomic.Int64
	// numbers is CPU and memory of each container.
	numbers [2 * maxPosted]atomic.Uint64
}

// shape is the number of containers in its lowest byte, and then a byte for each:
// the index of its status, below swapReported, and whether it reports swap.
type shape uint32

const swapReported = 0x80

func (s shape) len() int { return int(s & 0xff) }

func (s shape) status(i int) int { return int(s>>(8*i+8)) & (swapReported - 1) }

func (s shape) hasSwap(i int) bool { return s>>(8*i+8)&swapReported != 0 }

// shapeOf is the shape of an answer of these rows, 0 where it has none.
func shapeOf(names []string, rows []keptRow, swap []uint64, statuses []ContainerStatus) shape {
	var s shape
	for i := range rows {
		if rows[i].flags&rowAnswered == 0 {
			continue
		}
		n := s.len()
		if n == maxPosted || len(swap) > 0 && swap[i] != 0 {
			return 0
		}
		status := 0
		for status < len(statuses) && statuses[status].Name != names[i] {
			status++
		}
		if status == len(statuses) || status >= swapReported {
			return 0
		}
		if rows[i].has&HasSwap != 0 {
			status |= swapReported
		}
		s = s + 1 | shape(status)<<(8*n+8)
	}
	return s
}

// write posts an answer; rows are those of its pod.
func (p *post) write(node *nodeSlot, answer *podAnswer, offset Millis, s shape, rows []keptRow, statuses []ContainerStatus) {
	version := p.lock()
	p.shape.Store(uint32(s))
	if s != 0 {
		p.node.Store(node)
		p.statuses.Store(&statuses[0])
		p.time.Store(int64(answer.time))
		p.window.Store(answer.window)
		p.offset.Store(int64(offset))
		n := 0
		for i := range rows {
			if rows[i].flags&rowAnswered != 0 {
				p.numbers[n].Store(rows[i].nanoCores)
				p.numbers[n+1].Store(rows[i].memory)
				n += 2
			}
		}
	}
	p.version.Store(version + 2)
}

// clear takes the post away.
func (p *post) clear() {
	if p.shape.Load() != 0 {
		version := p.lock()
		p.shape.Store(0)
		p.version.Store(version + 2)
	}
}

// lock begins to write. Two write at once only where two nodes claim a pod.
func (p *post) lock() (version uint32) {
	for {
		version = p.version.Load()
		if version&1 == 0 && p.version.CompareAndSwap(version, version+1) {
			return version
		}
		runtime.Gosched()
	}
}
