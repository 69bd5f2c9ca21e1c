// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestJoin lets pods come, change, go, come again under their names and move
// between nodes, while nodes list more or less of them, whether or not the
// cluster knows them, and are forgotten and come back. Two stores must agree on
// every pod: one that is wired to the objects with all shortcuts, and one that
// looks up every pod and node by name each time.
func TestJoin(t *testing.T) {
	reads := map[storage.Absence]int{}
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			j := newJoin(t, seed)
			j.reads = reads
			for range 1500 {
				j.step()
				if t.Failed() {
					t.FailNow()
				}
			}
		})
	}
	for _, absence := range []storage.Absence{storage.Present, storage.NotScraped, storage.NotReported, storage.NoRate, storage.Stale, storage.Predates, storage.Incomplete} {
		if reads[absence] == 0 {
			t.Errorf("no read gave %v: the histories are too tame", absence)
		}
	}
}

// TestJoinConcurrent reads while pods come and go and nodes answer and are
// forgotten, for the race detector. A read gives the pod that it asked for.
func TestJoinConcurrent(t *testing.T) {
	pods := objects.NewPods()
	store, err := storage.New(storage.Options{FindPod: pods.Find})
	if err != nil {
		t.Fatal(err)
	}
	const nodes, perNode, rounds = 2, 4, 300
	var writing atomic.Int32
	writing.Store(nodes)
	var group sync.WaitGroup
	for n := range nodes {
		group.Go(func() {
			defer writing.Add(-1)
			node := fmt.Sprint("node-", n)
			for round := range rounds {
				var keys []storage.ContainerKey
				for i := range perNode {
					// The memory that a pod uses is what its name says.
					name := fmt.Sprint(n*perNode + i)
					if err := pods.Update(pod("shop", name, node, nil, "app")); err != nil {
						t.Error(err)
					}
					if (round+i)%7 != 0 {
						keys = append(keys, storage.ContainerKey{Namespace: "shop", Pod: name, Container: "app"})
					}
				}
				b := &storage.Batch{Node: node, Received: sampled + storage.Millis(round)}
				b.Layout, _ = storage.NewLayout(keys)
				for _, p := range b.Layout.Pods {
					memory, err := strconv.ParseUint(p.Name, 10, 64)
					if err != nil {
						t.Error(err)
					}
					b.Samples = append(b.Samples, storage.Sample{Time: b.Received, Memory: memory, Has: storage.HasCPU | storage.HasMemory})
					b.Estimates = append(b.Estimates, 1)
				}
				for range 3 {
					if _, err := store.Commit(b); err != nil {
						t.Error(err)
					}
				}
				if err := pods.Delete(pod("shop", fmt.Sprint(n*perNode+round%perNode), node, nil)); err != nil {
					t.Error(err)
				}
				if round%50 == 0 {
					store.Forget(node)
				}
			}
		})
	}
	for range 2 {
		group.Go(func() {
			for writing.Load() > 0 {
				for pod := range pods.All("") {
					usage, absence := store.Pod(nil, pod.Query(), sampled+rounds)
					if absence == storage.Present && (len(usage.Containers) != 1 || fmt.Sprint(usage.Containers[0].Memory) != pod.Name) {
						t.Errorf("pod %s: %+v", pod.Name, usage)
					}
				}
			}
		})
	}
	group.Wait()
}

// join is the two stores, and the pods that nodes run and the cluster may know.
type join struct {
	t            *testing.T
	random       *rand.Rand
	now          storage.Millis
	pods         *objects.Pods
	quick, plain *storage.Store
	running      map[string]*joinPod // by name
	batches      map[string]*storage.Batch
	reads        map[storage.Absence]int
}

// joinPod is a pod that runs on a node, whatever the cluster knows of it.
type joinPod struct {
	name, node string
	started    storage.Millis
	containers []string
}

func newJoin(t *testing.T, seed uint64) *join {
	t.Helper()
	j := &join{
		t: t, random: rand.New(rand.NewPCG(seed, 3)), now: sampled, pods: objects.NewPods(),
		running: map[string]*joinPod{}, batches: map[string]*storage.Batch{},
	}
	var err error
	if j.quick, err = storage.New(storage.Options{FindPod: j.pods.Find}); err != nil {
		t.Fatal(err)
	}
	plain := func(namespace, name string) storage.KnownPod {
		if pod, ok := j.pods.Get(namespace, name); ok {
			return &askedOnce{statuses: pod.Containers.Statuses}
		}
		return nil
	}
	if j.plain, err = storage.New(storage.Options{FindPod: plain}); err != nil {
		t.Fatal(err)
	}
	return j
}

// askedOnce is gone once it was asked, so that it is looked up each time.
type askedOnce struct {
	statuses []storage.ContainerStatus
	asked    bool
}

func (p *askedOnce) Place() *storage.PodPlace { return nil }

func (p *askedOnce) Statuses() ([]storage.ContainerStatus, bool) {
	if p.asked {
		return nil, false
	}
	p.asked = true
	return p.statuses, true
}

func (j *join) pick(from ...string) string { return from[j.random.IntN(len(from))] }

func (j *join) step() {
	j.now += storage.Millis(j.random.IntN(4000))
	name := j.pick("0", "1", "2", "3", "4", "5")
	pod := j.running[name]
	switch j.random.IntN(40) {
	case 0, 1, 2: // begins, or is recreated, perhaps elsewhere
		pod = &joinPod{name: name, node: j.pick("a", "b", "c"), started: j.now / 1000 * 1000, containers: []string{"app", "proxy"}[:1+j.random.IntN(2)]}
		j.running[name] = pod
	case 3: // ends
		delete(j.running, name)
	case 4: // is deleted, as far as the cluster knows
		j.check(j.pods.Delete(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}))
	case 5, 6, 7, 8: // is known as it is now, with containers that run or do not
		if pod != nil {
			j.check(j.pods.Update(j.object(pod)))
		}
	case 9: // is deleted and made anew
		if pod != nil {
			j.check(j.pods.Delete(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}))
			j.check(j.pods.Update(j.object(pod)))
		}
	case 10:
		if j.random.IntN(5) == 0 {
			node := j.pick("a", "b", "c")
			j.quick.Forget(node)
			j.plain.Forget(node)
		}
	case 11: // a while without scrapes
		if j.random.IntN(5) == 0 {
			j.now += 70_000
		}
	default:
		j.commit(j.pick("a", "b", "c"))
	}
	j.compare()
}

func (j *join) object(p *joinPod) *corev1.Pod {
	object := pod("shop", p.name, p.node, nil, p.containers...)
	for i := range object.Status.ContainerStatuses {
		if j.random.IntN(4) == 0 {
			object.Status.ContainerStatuses[i].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
		}
	}
	object.Status.StartTime = &metav1.Time{Time: p.started.Time()}
	return object
}

// commit is an answer of a node: mostly all pods that it runs, each sample as it
// was or new. Its layout is the same while its containers are.
func (j *join) commit(node string) {
	var keys []storage.ContainerKey
	for _, p := range j.running {
		for _, container := range p.containers {
			if p.node == node && j.random.IntN(20) != 0 {
				keys = append(keys, storage.ContainerKey{Namespace: strings.Clone("shop"), Pod: strings.Clone(p.name), Container: container})
			}
		}
	}
	layout, _ := storage.NewLayout(keys)
	before := j.batches[node]
	if before != nil && reflect.DeepEqual(before.Layout, layout) {
		layout = before.Layout
	}
	b := &storage.Batch{Node: node, Received: j.now, Layout: layout, Samples: make([]storage.Sample, len(layout.Containers))}
	for _, p := range layout.Pods {
		for row := p.First; row < p.End; row++ {
			started := j.running[p.Name].started
			b.Samples[row] = storage.Sample{
				Start: started, Time: max(j.now-storage.Millis(j.random.IntN(5000)), started), CPU: uint64(j.now-started) * 1_000_000,
				Memory: j.random.Uint64N(1 << 30), Has: storage.HasCPU | storage.HasMemory,
			}
			if before != nil && before.Layout == layout && j.random.IntN(2) == 0 && before.Samples[row].Start == started {
				b.Samples[row] = before.Samples[row]
			}
		}
	}
	j.batches[node] = b
	got, err := j.quick.Commit(b)
	j.check(err)
	want, err := j.plain.Commit(b)
	j.check(err)
	if got != want {
		j.t.Errorf("commit: %+v, want %+v", got, want)
	}
}

// compare reads every pod.
func (j *join) compare() {
	for pod := range j.pods.All("") {
		query := pod.Query()
		var posted storage.Posted
		isPosted := j.quick.Posted(&posted, &query, j.now)
		got, absence := j.quick.Pod(nil, query, j.now)
		if isPosted && (absence != storage.Present || got.Time != posted.Time || got.Window != storage.Millis(posted.Window) || !slices.Equal(got.Containers, posted.Containers(nil, query.Containers))) {
			j.t.Errorf("pod %s: %+v (%v), but %+v is posted", pod.Name, got, absence, posted)
		}
		query.Known, query.Place, query.NodePlace = nil, nil, nil
		want, why := j.plain.Pod(nil, query, j.now)
		if absence != why || got.Time != want.Time || got.Window != want.Window || !slices.Equal(got.Containers, want.Containers) {
			j.t.Errorf("pod %s: %+v (%v), want %+v (%v)", pod.Name, got, absence, want, why)
		}
		j.reads[why]++
	}
}

func (j *join) check(err error) {
	j.t.Helper()
	if err != nil {
		j.t.Fatal(err)
	}
}
