// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// world is one honest node, its pods and what the cluster knows of them: the
// truth that answers can be held against. Its containers burn CPU, restart, end
// and crash; its kubelet refreshes each container's sample on a clock of its
// own, which steps now and then.
type world struct {
	random *rand.Rand
	node   string
	now    storage.Millis // true, and our clock
	skew   storage.Millis // the node's clock less ours
	pods   []*worldPod
	usage  worldContainer
	layout *storage.Layout
	places map[bornPod]*storage.PodPlace
	status map[string][]storage.ContainerStatus // what the informer says
	// stepped is when the node's clock last stepped: never shortly before our
	// first answer, because nobody could tell then.
	stepped storage.Millis
}

type worldPod struct {
	name string
	// born tells pods of the same name apart.
	born       int
	started    storage.Millis // by the node's clock, whole seconds
	gone       bool           // between a deletion and a recreation
	containers []*worldContainer
}

// worldContainer burns at most limit, and always exactly limit where steady.
type worldContainer struct {
	name    string
	limit   uint64 // nanocores, a multiple of 1000
	steady  bool
	fragile bool // crashes all the time

	running bool
	burn    uint64         // nanocores now
	start   storage.Millis // by the node's clock
	cpu     uint64

	refresh  storage.Millis // the next one, true
	sample   storage.Sample // the kubelet's newest; Has is 0 before the first
	estimate uint64
	sampled  storage.Millis // when, true
}

// newWorld is a world of some pods at a random phase of its life.
func newWorld(seed uint64, node string, pods int) *world {
	w := &world{
		random: rand.New(rand.NewPCG(seed, 7)), node: node, now: epoch, stepped: epoch,
		status: map[string][]storage.ContainerStatus{}, places: map[bornPod]*storage.PodPlace{},
	}
	w.usage = worldContainer{limit: 8_000_000_000, running: true, refresh: w.now}
	for i := range pods {
		p := &worldPod{name: fmt.Sprintf("pod-%d", i)}
		for _, name := range []string{"app", "bad", "proxy"}[:1+w.random.IntN(3)] {
			p.containers = append(p.containers, &worldContainer{
				name: name, limit: 1000 * (1 + w.random.Uint64N(4_000_000)),
				steady: w.chance(0.5), fragile: name == "bad",
			})
		}
		w.create(p)
		w.pods = append(w.pods, p)
	}
	return w
}

func (w *world) chance(p float64) bool { return w.random.Float64() < p }

// between is a random length of time in seconds.
func (w *world) between(low, high float64) storage.Millis {
	return millis(low + w.random.Float64()*(high-low))
}

func (w *world) nodeClock() storage.Millis { return w.now + w.skew }

func (w *world) create(p *worldPod) {
	p.born++
	p.gone = false
	p.started = w.nodeClock() / 1000 * 1000
	for _, c := range p.containers {
		w.begin(c)
	}
	w.inform(p)
}

// begin starts a run of a container, with a counter of its own.
func (w *world) begin(c *worldContainer) {
	c.running, c.cpu, c.start = true, 0, w.nodeClock()
	c.burn, c.sample, c.estimate = c.limit, storage.Sample{}, 0
	c.refresh = w.now + w.between(0, 15)
}

// inform tells the cluster the truth about a pod, which it may not hear of.
func (w *world) inform(p *worldPod) {
	statuses := make([]storage.ContainerStatus, 0, len(p.containers))
	for _, c := range p.containers {
		statuses = append(statuses, storage.ContainerStatus{Name: c.name, Running: c.running})
	}
	w.status[p.name] = statuses
}

// pass lets time pass, in strides shorter than a second.
func (w *world) pass(d storage.Millis) {
	for end := w.now + d; w.now < end; {
		stride := min(end-w.now, 50+storage.Millis(w.random.IntN(900)))
		w.now += stride
		w.live(&w.usage, stride)
		for _, p := range w.pods {
			for _, c := range p.containers {
				w.live(c, stride)
			}
		}
		w.happen()
	}
}

func (w *world) live(c *worldContainer, stride storage.Millis) {
	if !c.running {
		return
	}
	c.cpu += c.burn / 1000 * uint64(stride)
	if !c.steady && w.chance(0.1) {
		c.burn = 1000 * w.random.Uint64N(c.limit/1000+1)
	}
	if w.now < c.refresh {
		return
	}
	old, since := c.sample, w.now-c.sampled
	c.sample = storage.Sample{
		Start: c.start, Time: w.nodeClock(), CPU: c.cpu, Memory: w.random.Uint64N(1 << 33), Swap: w.random.Uint64N(2),
		Has: storage.HasCPU | storage.HasMemory | storage.HasSwap,
	}
	c.sampled, c.estimate = w.now, 0
	if old.Has != 0 && since >= 1000 {
		c.estimate = (c.cpu - old.CPU) / uint64(since) * 1000
	}
	c.refresh = w.now + w.between(10, 20)
	if c.limit < 1_000_000_000 {
		c.refresh = w.now + w.between(15, 30) // idle
	}
}

// happen lets something happen to a pod or the node's clock, seldom.
func (w *world) happen() {
	p := w.pods[w.random.IntN(len(w.pods))]
	c := p.containers[w.random.IntN(len(p.containers))]
	switch {
	case p.gone:
		if w.chance(0.05) {
			w.create(p)
		}
	case w.chance(0.002):
		p.gone = true
		for _, c := range p.containers {
			c.running = false
		}
		delete(w.status, p.name)
	case !c.running:
		if w.chance(0.03) {
			w.begin(c)
			w.inform(p)
		}
	case c.fragile && w.chance(0.1), w.chance(0.002): //nolint:gocritic // Each call is another throw of the dice.
		if c.running = false; w.chance(0.5) {
			w.begin(c)
		}
		w.inform(p)
	case w.chance(0.05):
		w.inform(p)
	}
	if w.now-w.stepped > millis(200) && w.chance(0.002) {
		skews := []storage.Millis{0, 10_000, -10_000, 30_000, -30_000, 3_600_000, -3_600_000}
		if skew := skews[w.random.IntN(len(skews))]; skew != w.skew {
			w.skew, w.stepped = skew, w.now
		}
	}
}

// answer is what the kubelet answers now. Its layout is the same pointer while
// its containers are the same.
func (w *world) answer() *storage.Batch {
	b := &storage.Batch{Node: w.node, Sent: w.now - 10, Received: w.now, Usage: w.usage.sample}
	if w.skew > 2000 || w.skew < -2000 {
		b.Offset = -w.skew
	}
	if w.chance(0.3) {
		b.UsageEstimate = w.usage.estimate
	}
	var keys []storage.ContainerKey
	var of []*worldContainer
	for _, p := range w.pods {
		for _, c := range p.containers {
			if c.running && c.sample.Has != 0 {
				keys = append(keys, storage.ContainerKey{Namespace: "shop", Pod: p.name, Container: c.name})
				of = append(of, c)
			}
		}
	}
	layout, rows := storage.NewLayout(keys)
	if w.layout == nil || !slices.Equal(layout.Pods, w.layout.Pods) || !slices.Equal(layout.Containers, w.layout.Containers) {
		w.layout = layout
	}
	b.Layout = w.layout
	b.Samples = make([]storage.Sample, len(rows))
	if w.chance(0.3) {
		b.Estimates = make([]uint64, len(rows))
	}
	for i, row := range rows {
		b.Samples[row] = of[i].sample
		if b.Estimates != nil {
			b.Estimates[row] = of[i].estimate
		}
	}
	return b
}

// query is how the cluster asks for a pod.
func (w *world) query(p *worldPod) storage.PodQuery {
	return storage.PodQuery{
		Node: w.node, Namespace: "shop", Name: p.name, Started: p.started, Containers: w.status[p.name],
	}
}

// findPod is the pod of a name as it was born, which is gone when the cluster
// deletes it, although another of its name may come.
func (w *world) findPod(namespace, name string) storage.KnownPod {
	for _, p := range w.pods {
		if _, known := w.status[name]; known && namespace == "shop" && p.name == name {
			return bornPod{w, p, p.born}
		}
	}
	return nil
}

type bornPod struct {
	world *world
	pod   *worldPod
	born  int
}

// Place is one for each pod that was ever born.
func (p bornPod) Place() *storage.PodPlace {
	if p.world.places[p] == nil {
		p.world.places[p] = &storage.PodPlace{}
	}
	return p.world.places[p]
}

func (p bornPod) Statuses() ([]storage.ContainerStatus, bool) {
	if p.pod.born != p.born {
		return nil, false
	}
	return p.world.podStatus("shop", p.pod.name)
}

func (w *world) podStatus(_, name string) ([]storage.ContainerStatus, bool) {
	statuses, known := w.status[name]
	return statuses, known
}
