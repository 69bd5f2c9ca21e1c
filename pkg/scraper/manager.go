// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// Committer takes in what was scraped; *storage.Store is one.
type Committer interface {
	// Commit takes in one answer of one node.
	Commit(batch *storage.Batch) (storage.CommitResult, error)
	// Forget drops a node. No Commit of that node overlaps or follows it,
	// unless the node was set again meanwhile.
	Forget(node string)
}

// Manager keeps a loop for each target. Create it with New.
type Manager struct {
	options        Options
	staleness      time.Duration
	store          Committer
	client         *nodeclient.Client
	newDecoder     func() decoder
	metrics        *scrapeMetrics
	pacer          pacer
	first          chan struct{} // has an element for each first scrape that goes on
	summaryRefusal summaryRefusal
	bounds         decoderBounds
	inputDecoder   *kubelet.InputDecoder
	seriesDecoder  *kubelet.SeriesDecoder
	inputRefusals  [input.Sources]inputRefusal
	demands        demands
	epoch          time.Time
	queue          *queue
	workers        sync.WaitGroup
	// nodes is how many there are in mu.nodes.
	nodes atomic.Int64

	mu struct {
		sync.Mutex
		// ctx is Run's; nil before Run.
		ctx context.Context
		// ended says that Run waits for the loops to end.
		ended bool
		nodes map[string]*node
	}
}

// node is the place of a node's name: one loop at a time works for it, so that
// whatever is done for the name is done one after the other. It is guarded by
// Manager.mu.
type node struct {
	loop *loop
	// deleted says that the loop is ending and the node is to be forgotten.
	deleted bool
	// again is the target that was set after the deletion, or nil.
	again *Target
}

// New reads the credentials, registers the metrics, and starts nothing.
func New(options Options, store Committer) (*Manager, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	options = options.withDefaults()
	client, err := nodeclient.New(options.Client)
	if err != nil {
		return nil, err
	}
	decoding := options.Decoder
	decoding.Scratch = &kubelet.Scratch{}
	m := &Manager{
		options:    options,
		staleness:  storage.StalenessBound(options.Resolution),
		store:      store,
		client:     client,
		newDecoder: func() decoder { return kubelet.NewDecoder(decoding) },
		pacer:      pacer{gap: options.StartGap},
		first:      make(chan struct{}, options.FirstScrapes),
		epoch:      time.Now(),

		inputDecoder:  kubelet.NewInputDecoder(options.Decoder),
		seriesDecoder: kubelet.NewSeriesDecoder(options.Decoder),
	}
	m.queue = newQueue(m.epoch)
	m.mu.nodes = map[string]*node{}
	if m.metrics, err = newMetrics(options.Registry, options.Resolution); err != nil {
		return nil, err
	}
	if err := options.Registry.CustomRegister(newCollector(m)); err != nil {
		return nil, fmt.Errorf("register the scraper's collector: %w", err)
	}
	options.Registry.RawMustRegister(newTimings(m.loops))
	return m, nil
}

// Run scrapes until ctx ends, and returns when nothing of it runs any more. It
// may be called once. What was scraped stays in the store.
func (m *Manager) Run(ctx context.Context) error {
	logger := klog.FromContext(ctx)
	if m.client.Insecure() {
		logger.Info("Nodes' certificates are not verified, as configured; whoever answers for a node gets our credentials and may make up its usage",
			"credentials", m.client.HasCredentials())
	}
	m.SeriesChanged()
	m.mu.Lock()
	if m.mu.ctx != nil {
		m.mu.Unlock()
		return errors.New("run the scraper: it ran already")
	}
	m.mu.ctx = ctx
	for _, n := range m.mu.nodes {
		m.startLocked(n)
	}
	m.mu.Unlock()

	m.workers.Go(func() { m.work(ctx) })
	m.workers.Wait() // Which end with ctx.
	m.end(ctx)
	return nil
}

// work takes turns with the loops that are due, until ctx ends or there is too
// little to do.
func (m *Manager) work(ctx context.Context) {
	for worked := false; ; worked = true {
		l, last := m.queue.next(ctx, worked)
		if l == nil {
			return
		}
		if last {
			m.workers.Go(func() { m.work(ctx) })
		}
		wake := time.Time{}
		if !l.end.ended() {
			wake = l.turn(ctx)
		}
		if l.end.ended() {
			m.queue.drop(l)
			m.bury(ctx, l)
			continue
		}
		m.queue.back(l, wake)
	}
}

// end closes what is open when no worker is left, and does what they have not
// come to.
func (m *Manager) end(ctx context.Context) {
	m.mu.Lock()
	m.mu.ended = true
	loops := make([]*loop, 0, len(m.mu.nodes))
	for _, n := range m.mu.nodes {
		loops = append(loops, n.loop)
	}
	m.mu.Unlock()
	for _, l := range loops {
		if l.end.ended() {
			m.bury(ctx, l)
		}
		l.conn.Close()
	}
}

// Set adds a target, or replaces the one of that name: its loop goes on with
// what it knows, at its phase. It does nothing where the target is what it was.
// It may be called before Run, and does not wait.
func (m *Manager) Set(target Target) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.mu.nodes[target.Name]
	switch {
	case n == nil:
		n = &node{loop: m.newLoop(target)}
		m.mu.nodes[target.Name] = n
		m.nodes.Store(int64(len(m.mu.nodes)))
		if m.mu.ctx != nil {
			m.startLocked(n)
		}
	case n.deleted:
		n.again = &target
	default:
		n.loop.set(target)
	}
}

// Delete cancels the scrape of a node that is under way, and makes the store
// forget the node when it has ended. It does not wait for that.
func (m *Manager) Delete(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.mu.nodes[name]
	switch {
	case n == nil:
	case m.mu.ctx == nil || m.mu.ended: // Nothing runs, and nothing was kept or all of it is to stay.
		m.removeLocked(name)
	default:
		n.deleted, n.again = true, nil
		n.loop.end.now()
		m.queue.hurry(n.loop)
	}
}

// startLocked makes the loop of a node wait for its first turn.
func (m *Manager) startLocked(n *node) {
	if m.mu.ended {
		return
	}
	m.queue.add(n.loop, n.loop.begin(time.Now()))
}

// bury forgets the node of a loop that was ended, and begins with a new loop where
// the node was set again meanwhile. The caller has the loop in its hands.
func (m *Manager) bury(ctx context.Context, l *loop) {
	l.conn.Close()
	l.endSeries(ctx)
	m.metrics.forget(l.name)
	m.store.Forget(l.name)
	if m.options.Inputs != nil {
		m.options.Inputs.Forget(l.name)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.mu.nodes[l.name]
	if m.mu.ended || n.again == nil {
		m.removeLocked(l.name)
		return
	}
	n.loop = m.newLoop(*n.again)
	n.deleted, n.again = false, nil
	m.startLocked(n)
}

// count is how many nodes there are.
func (m *Manager) count() int { return int(m.nodes.Load()) }

func (m *Manager) removeLocked(name string) {
	delete(m.mu.nodes, name)
	m.nodes.Store(int64(len(m.mu.nodes)))
}

// loops are the loops of all nodes that were not deleted.
func (m *Manager) loops() []*loop {
	m.mu.Lock()
	defer m.mu.Unlock()
	loops := make([]*loop, 0, len(m.mu.nodes))
	for _, n := range m.mu.nodes {
		if !n.deleted {
			loops = append(loops, n.loop)
		}
	}
	return loops
}

// Status is how a node does; ok is false where there is no such target.
func (m *Manager) Status(name string) (status Status, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.mu.nodes[name]
	if n == nil || n.deleted {
		return Status{}, false
	}
	return *n.loop.status.Load(), true
}

// Statuses is how all nodes do, by name.
func (m *Manager) Statuses() []Status {
	loops := m.loops()
	statuses := make([]Status, len(loops))
	for i, l := range loops {
		statuses[i] = *l.status.Load()
	}
	slices.SortFunc(statuses, func(a, b Status) int { return cmp.Compare(a.Node, b.Node) })
	return statuses
}

// Alive says whether the loops advance, whether or not kubelets answer: an error
// names one that should have moved on two resolutions ago, which no node can
// cause and only a restart cures. It is nil before Run.
func (m *Manager) Alive(now time.Time) error {
	m.mu.Lock()
	started := m.mu.ctx != nil && m.mu.ctx.Err() == nil
	m.mu.Unlock()
	if !started {
		return nil
	}
	for _, l := range m.loops() {
		due := time.Duration(l.due.Load()) // 0 while it waits for its first turn.
		late := now.Sub(m.epoch) - due
		if late > 2*m.options.Resolution && due != 0 {
			return fmt.Errorf("scrape node %s: its loop has not moved for %v", l.name, late.Round(time.Second))
		}
	}
	return nil
}
