// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"sync"
	"sync/atomic"
)

// Store holds the latest state of every node. Create it with New; it starts no
// goroutine.
type Store struct {
	options   Options
	staleness Millis
	nodes     sync.Map // node name → *nodeSlot
	retired   retired
}

// nodeSlot is one node's place in the store.
type nodeSlot struct {
	// store and node are whose place it is, for who remembers it.
	store *Store
	node  string
	// commit serializes the writers of one node; readers never take it.
	commit sync.Mutex
	// forgotten, which commit guards, says that the store has let go of it.
	forgotten bool
	// state is nil before the first commit, and once it is forgotten. What it points to
	// is read between enter and leave, which readers counts, or with commit locked; whether
	// it is nil may be asked by anybody.
	state   atomic.Pointer[nodeState]
	readers atomic.Int32
}

// New is an empty store.
func New(options Options) (*Store, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	options = options.withDefaults()
	return &Store{options: options, staleness: MillisIn(StalenessBound(options.Resolution))}, nil
}

// Commit takes in one answer of one node and publishes the node's new state at
// once. The batch belongs to the caller again when Commit returns. The error is
// ErrNoNode, a bug of the caller; bad samples are refused and counted in the
// result instead.
func (s *Store) Commit(b *Batch) (CommitResult, error) {
	var result CommitResult
	rows := 0
	if b.Layout != nil {
		rows = len(b.Layout.Containers)
	}
	if b.Node == "" || len(b.Samples) != rows || (b.Estimates != nil && len(b.Estimates) != rows) {
		return result, ErrNoNode
	}
	slot := s.lockSlot(b.Node)
	defer slot.commit.Unlock()
	old := slot.state.Load()
	if old == nil {
		old = &nodeState{slot: slot, offset: b.Offset}
	}
	slot.publish(nextState(old, b, &s.options, &s.retired, &result), &s.retired)
	return result, nil
}

// lockSlot is the place of a node, locked for a commit.
func (s *Store) lockSlot(node string) *nodeSlot {
	for {
		value, ok := s.nodes.Load(node)
		if !ok {
			value, _ = s.nodes.LoadOrStore(node, &nodeSlot{store: s, node: node})
		}
		slot := value.(*nodeSlot)
		slot.commit.Lock()
		if !slot.forgotten {
			return slot
		}
		slot.commit.Unlock()
	}
}

// Forget drops all that is known of a node. The caller makes sure that no commit
// of that node is under way or follows, or what it brings may be held again.
func (s *Store) Forget(node string) {
	value, ok := s.nodes.LoadAndDelete(node)
	if !ok {
		return
	}
	slot := value.(*nodeSlot)
	slot.commit.Lock()
	defer slot.commit.Unlock()
	slot.forgotten = true
	slot.state.Store(nil) // some may remember the place for as long as they like
}

// PodQuery names a pod as the cluster knows it: usage is joined to the pod when
// it is read, and taken from no other node than the pod's own.
type PodQuery struct {
	Node, Namespace, Name string
	// Started is when the pod started, by its node's clock; 0 is unknown.
	Started Millis
	// Containers is what the cluster says of the pod's containers.
	Containers []ContainerStatus

	// What follows may be nil, and makes the query quick where it is not. Known
	// is what Options.FindPod gives for the pod, Place is the pod's own, and
	// NodePlace its node's.
	Known     KnownPod
	Place     *PodPlace
	NodePlace *NodePlace
}

// Pod is the usage of a pod at the moment now, or why there is none. The usage's
// Containers are appended to dst, which may be nil, and are the caller's.
func (s *Store) Pod(dst []ContainerUsage, q PodQuery, now Millis) (PodUsage, Absence) {
	var posted Posted
	if s.Posted(&posted, &q, now) {
		containers := posted.Containers(dst, q.Containers)[len(dst):]
		return PodUsage{Time: posted.Time, Window: Millis(posted.Window), Containers: containers}, Present
	}
	slot := s.place(q.Node, q.NodePlace)
	if slot == nil {
		return PodUsage{}, NotScraped
	}
	defer slot.leave()
	state := slot.enter()
	if state == nil {
		return PodUsage{}, NotScraped
	}
	p, ok := state.find(&q)
	if !ok {
		return PodUsage{}, NotReported
	}
	answer := &state.answers[p]
	switch {
	case !answer.known():
		return PodUsage{}, NoRate
	case s.stale(answer.time, now):
		return PodUsage{}, Stale
	case q.Started != 0 && answer.time < q.Started+state.offset:
		return PodUsage{}, Predates
	}
	containers := state.appendAnswer(dst, p)[len(dst):]
	if !answer.joined && !covers(containers, q.Containers) {
		return PodUsage{}, Incomplete
	}
	return PodUsage{Time: answer.time, Window: Millis(answer.window), Containers: containers}, Present
}

// stale is whether what was so at t is not to be served any more. What is ahead
// of us is from before our own clock was set back, and its age is unknown.
func (s *Store) stale(t, now Millis) bool {
	return now-t > s.staleness || t > now+FutureTolerance
}

// Node is the usage of a node at the moment now, or why there is none.
func (s *Store) Node(name string, now Millis) (NodeUsage, Absence) {
	slot := s.place(name, nil)
	if slot == nil {
		return NodeUsage{}, NotScraped
	}
	defer slot.leave()
	state := slot.enter()
	switch {
	case state == nil:
		return NodeUsage{}, NotScraped
	case state.nodeAnswer.Window == 0:
		return NodeUsage{}, NoRate
	case s.stale(state.nodeAnswer.Time, now):
		return NodeUsage{}, Stale
	}
	return state.nodeAnswer, Present
}

// Offset is what has to be added to times by a node's clock to make them ours, as
// the node's newest answer has it; 0 where nothing is held of the node.
func (s *Store) Offset(node string) Millis {
	slot := s.place(node, nil)
	if slot == nil {
		return 0
	}
	defer slot.leave()
	if state := slot.enter(); state != nil {
		return state.offset
	}
	return 0
}

// Points counts the nodes and containers that have a rate, stale ones included.
func (s *Store) Points() (nodes, containers int) {
	s.nodes.Range(func(_, value any) bool {
		slot := value.(*nodeSlot)
		defer slot.leave()
		state := slot.enter()
		if state == nil {
			return true
		}
		if state.nodeAnswer.Window != 0 {
			nodes++
		}
		for i := range state.columns.rows {
			if state.columns.rows[i].flags&rowAnswered != 0 {
				containers++
			}
		}
		for i := range state.answers {
			if kept := state.answers[i].kept; kept != nil {
				containers += len(*kept)
			}
		}
		return true
	})
	return nodes, containers
}
