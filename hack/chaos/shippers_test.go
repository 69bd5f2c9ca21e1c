// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/chaos/rig"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

// shipperLease is the Lease of manifests/components/remote-write.
const shipperLease = "kube-system/metrics-server-remote-write"

// tryKilledShippers is F24, where the receiver takes samples in any order: of two
// servers, the one that ships is killed, and then the other one while kube-apiserver
// is away.
func tryKilledShippers(x *trial) {
	const every = 10 * time.Second
	const injected = "out_of_order: true; the server that ships is killed; later kube-apiserver is away for 20 s, and the other one is killed meanwhile"
	grantLease(x)
	w := x.world(20, 3)
	receiver := rig.NewReceiver(x)
	serve := func() *rig.Server {
		config := sinkConfig(x, map[*rig.Receiver]string{receiver: fmt.Sprintf("name: sink, out_of_order: true, queue_directory: %q", filepath.Join(x.TempDir(), "queue"))})
		return w.Serve(x, "--config="+config, "--metric-resolution="+every.String(), "--kubelet-request-timeout=8s", "--remote-write-lease="+shipperLease)
	}
	overlap := func(s *rig.Server) float64 {
		m, err := s.Metrics(x.Context())
		if err != nil {
			x.Fatal(err)
		}
		return m.Sum("metrics_apiserver_remote_write_overlap_samples_total", "")
	}
	ships := func(s *rig.Server) func() bool {
		return func() bool { state := sinkOf(x, s, "sink"); return !state.Paused && state.Sent > 0 }
	}
	stands := func(s *rig.Server) func() bool {
		return func() bool { return s.Ready(x.Context()) == nil && sinkOf(x, s, "sink").Paused }
	}
	must := func(what string, limit time.Duration, done func() bool) time.Duration {
		x.Helper()
		took := x.until(limit, done)
		if took == 0 {
			x.Fatalf("%s: not within %v", what, limit)
		}
		return took
	}
	a := serve()
	must("a ships", time.Minute, ships(a))
	b := serve()
	must("b stands by", time.Minute, stands(b))
	x.wait(3 * every)
	began := time.Now().Add(-2 * every)

	if err := w.KillComponent(a.Name); err != nil {
		x.Fatal(err)
	}
	first := must("b ships", time.Minute, ships(b))
	x.wait(2 * every)
	after := sinkOf(x, b, "sink")
	counted := overlap(b)
	if err := w.StartComponent(x.Context(), a.Name); err != nil {
		x.Fatal(err)
	}
	must("a stands by", time.Minute, stands(a))
	left := sinkOf(x, a, "sink").Waiting
	x.wait(2 * every)

	if err := x.site.StopComponent(x.Context(), cluster.APIServer); err != nil {
		x.Fatal(err)
	}
	stopped := time.Now()
	held := must("b holds", 30*time.Second, func() bool { return sinkOf(x, b, "sink").Held })
	x.wait(time.Until(stopped.Add(18 * time.Second)))
	holding := sinkOf(x, b, "sink")
	if err := w.KillComponent(b.Name); err != nil {
		x.Fatal(err)
	}
	x.wait(time.Until(stopped.Add(20 * time.Second)))
	if err := x.site.StartComponent(x.Context(), cluster.APIServer); err != nil {
		x.Fatal(err)
	}
	// Before it is there again: either would do, and may win.
	second := must("a ships", time.Minute, ships(a))
	if err := w.StartComponent(x.Context(), b.Name); err != nil {
		x.Fatal(err)
	}
	must("b stands by", time.Minute, stands(b))
	left += sinkOf(x, b, "sink").Waiting
	x.wait(2 * every)
	counted += overlap(a)
	end := time.Now()
	final := sinkOf(x, a, "sink")
	if err := a.Stop(x.Context()); err != nil {
		x.Fatal(err)
	}
	must("b ships what it had left", time.Minute, func() bool {
		state := sinkOf(x, b, "sink")
		return !state.Paused && state.Sent > 0 && state.Waiting == 0
	})
	kept := receiver.Kept()
	gap, of := longestGap(receiver, began, end)

	x.figure("F24", injected, "the other ships after the first kill, and after the second", fmt.Sprintf("%v, %v", first.Round(time.Second), second.Round(time.Second)), "a minute", true)
	x.figure("F24", injected, "held without kube-apiserver after", held.Round(time.Second), "15s", held <= 15*time.Second)
	x.figure("F24", injected, "samples that waited when the second was killed", holding.Waiting, "some", holding.Waiting > 0)
	x.figure("F24", injected, fmt.Sprintf("longest time between two samples of each of %d nodes", of), gap.Round(100*time.Millisecond), every+2*time.Second, of == len(w.Nodes()) && gap <= every+2*time.Second)
	x.figure("F24", injected, fmt.Sprintf("samples that came twice, of %d", kept.Samples), kept.Twice, fmt.Sprintf("those counted as overlap, or left in queues: %.0f", counted+float64(left)), float64(kept.Twice) <= counted+float64(left))
	x.figure("F24", injected, "samples with two values", kept.Other, 0, kept.Other == 0 && len(kept.Faults) == 0)
	x.figure("F24", injected, "dropped", after.losses()+final.losses(), 0, after.losses()+final.losses() == 0)
}

// grantLease applies the Lease by which one of several servers ships, and the right
// to it.
func grantLease(x *trial) {
	x.Helper()
	root, err := toolchain.Root()
	if err != nil {
		x.Fatal(err)
	}
	manifest, err := x.site.Kubectl(x.Context(), "kustomize", filepath.Join(root, "hack", "manifests", "testdata", "remote-write"))
	if err != nil {
		x.Fatal(err)
	}
	var documents []string
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		if strings.Contains(document, "remote-write") && (strings.Contains(document, "apiVersion: rbac.authorization.k8s.io/v1\n") || strings.Contains(document, "kind: Lease\n")) {
			documents = append(documents, document)
		}
	}
	if err := x.site.Apply(x.Context(), []byte(strings.Join(documents, "\n---\n"))); err != nil {
		x.Fatal(err)
	}
}

// longestGap is the longest time between two samples of a node's memory, of as many
// nodes as there are.
func longestGap(receiver *rig.Receiver, from, to time.Time) (longest time.Duration, nodes int) {
	receiver.Each("node_memory_working_set_bytes\x00", func(_ string, values map[int64]float64) {
		times := slices.Sorted(maps.Keys(values))
		times = slices.DeleteFunc(times, func(at int64) bool { return at < from.UnixMilli() || at > to.UnixMilli() })
		if nodes++; len(times) == 0 {
			longest = to.Sub(from)
			return
		}
		for i := 1; i < len(times); i++ {
			longest = max(longest, time.Duration(times[i]-times[i-1])*time.Millisecond)
		}
	})
	return longest, nodes
}
