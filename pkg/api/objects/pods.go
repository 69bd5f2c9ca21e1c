// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/tools/cache"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Pods holds the running pods. It is a cache.TransformingStore.
type Pods struct {
	mu struct {
		sync.RWMutex
		namespaces map[string]*namespace
		// names is the sorted names of namespaces; nil where it must be made
		// anew. Once made it is never written.
		names  []string
		count  int
		shared partInterners
	}
	synced atomic.Bool
}

var _ cache.TransformingStore = (*Pods)(nil)

// NewPods is an empty store of pods.
func NewPods() *Pods {
	p := &Pods{}
	p.mu.namespaces = map[string]*namespace{}
	return p
}

// HasSynced is whether the first complete list has been taken in.
func (p *Pods) HasSynced() bool { return p.synced.Load() }

// Len is how many pods are held.
func (p *Pods) Len() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.mu.count
}

// Get is the pod of that name.
func (p *Pods) Get(namespace, name string) (*Pod, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	ns := p.mu.namespaces[namespace]
	if ns == nil {
		return nil, false
	}
	held, ok := ns.pods[name]
	if !ok {
		return nil, false
	}
	return held.pod.Load(), true
}

// Find is storage.Options' FindPod.
func (p *Pods) Find(namespace, name string) storage.KnownPod {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if ns := p.mu.namespaces[namespace]; ns != nil {
		if held, ok := ns.pods[name]; ok {
			return held
		}
	}
	return nil
}

// All is the pods of a namespace, sorted by name, or those of all namespaces,
// sorted by namespace and name, where namespace is "". It may be gone through
// while pods come and go: it has the pods that there were at its start, as they
// are when their turn comes.
func (p *Pods) All(namespace string) iter.Seq[*Pod] {
	return func(yield func(*Pod) bool) {
		all := Run{parts: p.sorted(namespace)}
		all.All()(yield)
	}
}

// Namespaces is the sorted names of the namespaces that have a pod. It must not be
// written.
func (p *Pods) Namespaces() []string {
	p.mu.RLock()
	names := p.mu.names
	p.mu.RUnlock()
	if names != nil {
		return names
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.namesLocked()
}

// namesLocked is Namespaces, made anew where that must be, for which mu must be
// held for writing.
func (p *Pods) namesLocked() []string {
	if p.mu.names == nil {
		p.mu.names = slices.AppendSeq(make([]string, 0, len(p.mu.namespaces)), maps.Keys(p.mu.namespaces))
		slices.Sort(p.mu.names)
	}
	return p.mu.names
}

// sorted is the pods of one namespace, or of each namespace in order.
func (p *Pods) sorted(namespace string) [][]*heldPod {
	p.mu.RLock()
	sorted, fresh := p.sortedLocked(namespace, false)
	p.mu.RUnlock()
	if fresh {
		return sorted
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	sorted, _ = p.sortedLocked(namespace, true)
	return sorted
}

// sortedLocked gives up with fresh false where something must be sorted and the
// caller holds only the read lock.
func (p *Pods) sortedLocked(namespace string, mayWrite bool) (sorted [][]*heldPod, fresh bool) {
	names := []string{namespace}
	if namespace == "" {
		if p.mu.names == nil && !mayWrite {
			return nil, false
		}
		names = p.namesLocked()
	}
	sorted = make([][]*heldPod, 0, len(names))
	for _, name := range names {
		ns := p.mu.namespaces[name]
		if ns == nil {
			continue
		}
		if ns.dirty {
			if !mayWrite {
				return nil, false
			}
			ns.order()
		}
		sorted = append(sorted, ns.sorted)
	}
	return sorted, true
}

// Transformer is cache.TransformingStore's: a reflector's first list is trimmed
// object by object, so that it never stands in memory whole.
func (p *Pods) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) {
		pod, err := trimPod(obj)
		if err != nil {
			return nil, err
		}
		return pod, nil
	}
}

// Add is cache.ReflectorStore's.
func (p *Pods) Add(obj any) error { return p.Update(obj) }

// Update is cache.ReflectorStore's: it takes in a pod that is new or changed.
func (p *Pods) Update(obj any) error {
	pod, err := trimPod(obj)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setLocked(pod)
	return nil
}

// Delete is cache.ReflectorStore's. A pod that stopped running is deleted, too,
// because the watch selects running pods.
func (p *Pods) Delete(obj any) error {
	pod, err := trimPod(obj)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deleteLocked(pod.Namespace, pod.Name)
	return nil
}

// Replace is cache.ReflectorStore's: list is all running pods. Nothing changes
// where it fails.
func (p *Pods) Replace(list []any, _ string) error {
	pods := make([]*Pod, 0, len(list))
	for _, obj := range list {
		pod, err := trimPod(obj)
		if err != nil {
			return err
		}
		pods = append(pods, pod)
	}
	// They come in no order. In that of lists, what is kept of them comes to lie
	// in memory as lists read it, which halves the time of a list of all pods
	// (pkg/api's BenchmarkPodList).
	slices.SortFunc(pods, func(a, b *Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	listed := make(map[*heldPod]struct{}, len(pods))
	for _, pod := range pods {
		listed[p.setLocked(pod)] = struct{}{}
	}
	for _, ns := range p.mu.namespaces {
		for _, held := range ns.pods {
			if _, ok := listed[held]; !ok {
				gone := held.pod.Load()
				p.deleteLocked(gone.Namespace, gone.Name)
			}
		}
	}
	p.synced.Store(true)
	return nil
}

// Resync is cache.ReflectorStore's; there is nothing to do.
func (p *Pods) Resync() error { return nil }

func (p *Pods) setLocked(pod *Pod) *heldPod {
	ns := p.mu.namespaces[pod.Namespace]
	if ns == nil {
		ns = &namespace{pods: map[string]*heldPod{}}
		p.mu.namespaces[pod.Namespace] = ns
		p.mu.names = nil
	}
	held, ok := ns.pods[pod.Name]
	if !ok {
		held = &heldPod{}
	}
	p.mu.shared.hold(held, pod)
	if !ok {
		ns.add(held)
		p.mu.count++
	}
	return held
}

func (p *Pods) deleteLocked(namespace, name string) {
	ns := p.mu.namespaces[namespace]
	if ns == nil {
		return
	}
	held, ok := ns.pods[name]
	if !ok {
		return
	}
	p.mu.shared.release(held.shared())
	ns.remove(held)
	p.mu.count--
	if len(ns.pods) == 0 {
		delete(p.mu.namespaces, namespace)
		p.mu.names = nil
	}
}
