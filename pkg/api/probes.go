// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Timing of the probes.
const (
	// settledAge is how old a pod must be for readiness to wait for its usage. Up
	// to twice the default resolution, its start serves as the first sample of a
	// rate. From then on two samples are needed, which the replica that we replace
	// may have, and we may not.
	settledAge = 30 * time.Second
	// readyAfter is when readiness stops waiting for usage.
	readyAfter = 60 * time.Second
	// unsyncedLimit is how long the first lists may take before liveness asks
	// for a restart, which may mend a client of ours that hangs; it mends no API
	// server that is away, so it is long.
	unsyncedLimit = 10 * time.Minute
)

// ErrNotEnoughUsage is why a server is not ready yet.
var ErrNotEnoughUsage = errors.New("too few have usage yet")

// RegisterProbes adds the checks of /readyz and /livez, with metrics-server's
// names and in its order, because monitoring compares them. collecting says
// whether the scrape loops advance; it must not ask whether kubelets answer.
// identified says whether it is known whose client certificates count: until then
// kube-apiserver is nobody to us.
func RegisterProbes(server *genericapiserver.GenericAPIServer, source *Source, collecting, identified func() error) error {
	started := time.Now()
	ready := &readiness{source: source, identified: identified, started: started}
	objectsListed := func(*http.Request) error {
		if source.Nodes.HasSynced() && source.Pods.HasSynced() {
			return nil
		}
		return ErrNotSynced
	}
	podsListed := func(*http.Request) error {
		if source.Pods.HasSynced() {
			return nil
		}
		return ErrNotSynced
	}
	err := server.AddReadyzChecks(
		healthz.NamedCheck("metric-storage-ready", func(*http.Request) error { return ready.check(time.Now()) }),
		healthz.NamedCheck("metric-informer-sync", objectsListed),
		healthz.NamedCheck("metadata-informer-sync", podsListed),
	)
	if err != nil {
		return fmt.Errorf("add readiness checks: %w", err)
	}
	err = server.AddLivezChecks(0,
		healthz.NamedCheck("metric-collection-timely", func(*http.Request) error { return collecting() }),
		healthz.NamedCheck("metadata-informer-sync", func(r *http.Request) error {
			if time.Since(started) < unsyncedLimit {
				return nil
			}
			return podsListed(r)
		}),
	)
	if err != nil {
		return fmt.Errorf("add liveness checks: %w", err)
	}
	return nil
}

// readiness latches: once true it stays so, because an unready server makes its
// APIServices unavailable, which blocks the deletion of namespaces and slows
// every kubectl, and kubelets that fail are no reason for that.
type readiness struct {
	source     *Source
	identified func() error
	started    time.Time
	latched    atomic.Bool
}

// check is nil once the objects are listed, who asks can be identified, and 99 % of
// the nodes, and of the pods that are old enough and whose node is scraped, have
// usage, or 60 s have passed since the start with the objects listed.
func (r *readiness) check(at time.Time) error {
	if r.latched.Load() {
		return nil
	}
	if !r.source.Nodes.HasSynced() || !r.source.Pods.HasSynced() {
		return ErrNotSynced
	}
	if at.Sub(r.started) < readyAfter {
		if err := r.identified(); err != nil {
			return err
		}
		now := storage.MillisOf(at)
		if servable, all := r.countNodes(now); servable*100 < all*99 {
			return fmt.Errorf("%w: %d of %d nodes", ErrNotEnoughUsage, servable, all)
		}
		if servable, settled := r.countPods(now); servable*100 < settled*99 {
			return fmt.Errorf("%w: %d of %d pods", ErrNotEnoughUsage, servable, settled)
		}
	}
	r.latched.Store(true)
	return nil
}

// countNodes is how many nodes there are, and how many of them have usage.
func (r *readiness) countNodes(at storage.Millis) (servable, all int) {
	nodes := r.source.Nodes.List()
	for _, node := range nodes {
		if _, absence := r.source.Usage.Node(node.Name, at); absence == storage.Present {
			servable++
		}
	}
	return servable, len(nodes)
}

// countPods is how many settled pods on scraped nodes there are, and how many of
// them have usage. A pod whose containers all crash has none, whatever we do.
func (r *readiness) countPods(at storage.Millis) (servable, settled int) {
	var containers []storage.ContainerUsage
	for pod := range r.source.Pods.All("") {
		// When a pod began is said by its node's clock.
		if pod.Started+r.source.Usage.Offset(pod.Node) > at-storage.MillisIn(settledAge) || !pod.HasRunning() {
			continue
		}
		if _, scraped := r.source.Nodes.Get(pod.Node); !scraped {
			continue
		}
		settled++
		if usage, absence := r.source.Usage.Pod(containers[:0], pod.Query(), at); absence == storage.Present {
			containers = usage.Containers
			servable++
		}
	}
	return servable, settled
}
