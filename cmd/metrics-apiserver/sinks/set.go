// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// Options are what a set of sinks is told.
type Options struct {
	// Slots is how many sinks there may be.
	Slots int
	// Elected is that nothing is shipped until Lead is called.
	Elected bool
	// Resolution is the time between two answers of a node.
	Resolution time.Duration
	// Dir is what the paths of files in blocks are relative to: the directory of
	// the configuration file.
	Dir string
	// UserAgent is ours.
	UserAgent string
	// Instance is the address and port of a node's kubelet; empty where it is not
	// known. nil knows none.
	Instance func(node string) string
	// Log is told of changes of state.
	Log *slog.Logger

	// transport makes all requests where it is set; tests do.
	transport http.RoundTripper
}

// Check reads all blocks, and says what is wrong with them. It opens nothing.
func Check(nodes []*yaml.Node, refuse Refuse) (blocks []*Block, ok bool) {
	ok = true
	names, dirs := map[string]int{}, map[string]int{}
	for i, n := range nodes {
		b, good := Read(n, i+1, refuse)
		if !good {
			ok = false
			continue
		}
		if line, twice := names[b.Name]; twice {
			ok = false
			refuse(b.Line, "the remoteWrite block of line %d is also named %q: name them differently", line, b.Name)
		}
		dir := filepath.Clean(b.dir)
		if line, twice := dirs[dir]; twice && b.dir != "" {
			ok = false
			refuse(b.Line, "the remoteWrite block of line %d also has queue_directory %s: each needs its own", line, b.dir)
		}
		names[b.Name], dirs[dir] = b.Line, b.Line
		blocks = append(blocks, b)
	}
	return blocks, ok
}

// A Set is all sinks: those of the configuration that was applied last. Its methods
// are safe for concurrent use, but that Apply is not called twice at once.
type Set struct {
	o     Options
	slots []*slot

	mu struct {
		sync.Mutex
		// members are the sinks, in the order of their blocks.
		members []*member
		// replaced are those that were replaced before Run.
		replaced []*member
		// role is what the set is; before, while it leads, who led before.
		role   role
		before *handover
		// run is the context of Run; nil before that. ended is that it is over.
		run   context.Context
		ended bool
	}
	// running is the goroutines of sinks.
	running sync.WaitGroup
}

// NewSet is no sinks. Run must be called.
func NewSet(o Options) *Set {
	s := &Set{o: o}
	for range o.Slots {
		s.slots = append(s.slots, &slot{})
	}
	if s.mu.role = leads; o.Elected {
		s.mu.role = pauses
	}
	return s
}

// Consumers are the sinks, as whoever reads kubelets wants them. There are always
// as many as Options.Slots: those that no sink has want nothing.
func (s *Set) Consumers() []series.Consumer {
	out := make([]series.Consumer, len(s.slots))
	for i, slot := range s.slots {
		out[i] = slot
	}
	return out
}

// Apply puts blocks in force, of which [Check] has found nothing wrong, in place of
// those before. A sink whose block says what it said is not touched. Another one
// that is there ends, and has its deadline to deliver what is left; what has its
// name then keeps what comes until it has ended. Where there is an error, all is as
// it was.
func (s *Set) Apply(nodes []*yaml.Node, external map[string]string) error {
	blocks, ok := Check(nodes, func(int, string, ...any) {})
	if !ok || len(blocks) > len(s.slots) {
		return errors.New("BUG: blocks that were not checked")
	}
	s.mu.Lock()
	old, ended := s.mu.members, s.mu.ended
	s.mu.Unlock()
	if ended {
		return nil
	}
	var members, fresh []*member
	for i, b := range blocks {
		m := &member{name: b.Name, node: nodes[i], external: external, ready: make(chan struct{}), done: make(chan struct{})}
		at := slices.IndexFunc(old, func(o *member) bool { return o.name == m.name })
		if at >= 0 && old[at].same(m) {
			members = append(members, old[at])
			continue
		}
		if at >= 0 {
			m.follows = old[at]
		}
		var err error
		if m.options, err = s.o.options(b, external); err != nil {
			return err
		}
		members, fresh = append(members, m), append(fresh, m)
	}
	for _, m := range fresh {
		// The options were validated: nothing is opened that would not be used.
		var err error
		if m.sink, err = remotewrite.New(m.options); err != nil {
			return err
		}
	}
	s.replace(old, members, fresh)
	return nil
}

// replace has the members in force.
func (s *Set) replace(old, members, fresh []*member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.members = members
	for _, m := range fresh {
		m.born, m.continues = s.mu.before, s.mu.role == leads
		if s.mu.role != pauses && m.follows != nil {
			// What comes while the one before ends is not kept for a minute only.
			m.sink.Hold()
		}
	}
	for _, slot := range s.slots {
		m := slot.member.Load()
		if m == nil || slices.Contains(members, m) {
			continue
		}
		next := slices.IndexFunc(fresh, func(f *member) bool { return f.follows == m })
		if next < 0 {
			slot.member.Store(nil)
			continue
		}
		slot.member.Store(fresh[next])
	}
	for _, m := range fresh {
		if m.follows == nil {
			free := slices.IndexFunc(s.slots, func(slot *slot) bool { return slot.member.Load() == nil })
			s.slots[free].member.Store(m)
		}
		if s.mu.run != nil {
			s.startLocked(m)
		}
	}
	for _, m := range old {
		switch {
		case slices.Contains(members, m):
		case s.mu.run == nil:
			s.mu.replaced = append(s.mu.replaced, m)
		default:
			m.retire()
		}
	}
}

// startLocked runs a member. The set is locked.
func (s *Set) startLocked(m *member) {
	run, follows := s.mu.run, m.follows
	retired, retire := context.WithCancel(context.WithoutCancel(run))
	m.cancel = retire
	if follows == nil {
		s.readyLocked(m)
	}
	s.running.Go(func() {
		defer close(m.done)
		defer retire()
		ctx, cancel := context.WithCancel(context.WithoutCancel(run))
		defer cancel()
		var sink sync.WaitGroup
		sink.Go(func() { _ = m.sink.Run(ctx) })
		if follows != nil {
			// The one before sends what is left, and gives its directory back.
			<-follows.done
			s.mu.Lock()
			s.readyLocked(m)
			s.mu.Unlock()
		}
		// Only now can it send what it has accepted, also where it has to end.
		defer context.AfterFunc(run, cancel)()
		defer context.AfterFunc(retired, cancel)()
		sink.Wait()
	})
}

// readyLocked says that nothing is in a member's way. The set is locked.
func (s *Set) readyLocked(m *member) {
	close(m.ready)
	if m.follows != nil {
		m.carried = m.follows.sink.Mark()
		m.follows = nil
	}
	s.tellLocked(m)
}

// tellLocked tells a member what the set is, unless it has to wait for the one
// before it. The set is locked.
func (s *Set) tellLocked(m *member) {
	select {
	case <-m.ready:
	default:
		return
	}
	switch s.mu.role {
	case leads:
		h := &remotewrite.Handover{Mark: m.carried}
		// What is left of it is ours now.
		h.Mark.Queue = m.sink.Mark().Queue
		if s.mu.before != nil && !(m.continues && m.born == s.mu.before) {
			h = s.mu.before.of(m.name)
		}
		m.sink.Lead(h)
	case holds:
		m.sink.Hold()
	case pauses:
		m.sink.Pause()
	}
}

// Run ships until the context ends, and then what is left within each sink's
// deadline.
func (s *Set) Run(ctx context.Context) error {
	s.mu.Lock()
	s.mu.run = ctx
	for _, m := range slices.Concat(s.mu.replaced, s.mu.members) {
		s.startLocked(m)
	}
	for _, m := range s.mu.replaced {
		m.retire()
	}
	s.mu.replaced = nil
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.mu.ended = true
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

// RuleReceivers are for the results of rules, one for each slot. Each is a
// series.Chooser.
func (s *Set) RuleReceivers() []series.Receiver {
	out := make([]series.Receiver, len(s.slots))
	for i, slot := range s.slots {
		out[i] = slot.Receiver("", series.Rules)
	}
	return out
}

// WantsRules says whether a sink ships the results of rules.
func (s *Set) WantsRules() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.mu.members, func(m *member) bool { return m.sink.Sources().Has(series.Rules) })
}

// Any says whether there is a sink.
func (s *Set) Any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.members) > 0
}

// States is how the sinks are doing, in the order of their blocks.
func (s *Set) States() []remotewrite.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make([]remotewrite.State, len(s.mu.members))
	for i, m := range s.mu.members {
		states[i] = m.sink.State()
	}
	return states
}
