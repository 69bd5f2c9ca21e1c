// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// tryLostScrapes is F2.
func tryLostScrapes(x *trial) {
	const every, bound = 10 * time.Second, 50 * time.Second
	rounds := x.times(100)
	injected := fmt.Sprintf("50 nodes at a resolution of 10 s; a scrape of each is lost in each of %d rounds, no two in a row: reset, cut within the body, 500, or no answer", rounds)
	w := x.world(50, 4)
	server := w.Serve(x, "--metric-resolution="+every.String())
	truth := truthOf(w.Nodes()...)
	truth.within = 0.01
	x.wait(30 * time.Second)
	lost := make([]int, len(w.Nodes())) // How often each was asked when its last fault was set.
	for range rounds {
		offsets := map[int][]int{}
		for i := range w.Nodes() {
			second := rand.IntN(int(every / time.Second))
			offsets[second] = append(offsets[second], i)
		}
		for second := range int(every / time.Second) {
			for _, i := range offsets[second] {
				asked := w.Nodes()[i].Requests("/metrics/resource")
				if asked < lost[i]+2 {
					continue // The one after that was lost is not there yet.
				}
				lost[i] = asked
				fault := []kubelettest.Fault{{Reset: true}, {CutAfter: 500}, {Status: 500}, {Hang: true}}[rand.IntN(4)]
				fault.Path, fault.Times = "/metrics/resource", 1
				w.Nodes()[i].SetFault(fault)
			}
			pods, err := server.Pods(x.Context())
			if !truth.missing.err(err) {
				truth.hold(pods, bound+time.Second)
			}
			x.wait(time.Second)
		}
	}
	x.none("F2", injected, "answers that lack a pod or a container", &truth.missing, truth.answers)
	x.none("F2", injected, "answers with a time that no kubelet gave", &truth.times, truth.answers)
	x.none("F2", injected, "answers more than 1 % off", &truth.values, truth.answers)
	x.figure("F2", injected, "the oldest answer", truth.oldest.Round(time.Second), bound, truth.oldest <= bound+time.Second)

	// One that does not come back is served to the bound, and not beyond.
	away := w.Nodes()[0]
	last := truthOf(away)
	away.Stop()
	gone, oldest := time.Duration(0), time.Duration(0)
	for stopped := time.Now(); gone == 0 && time.Since(stopped) < bound+30*time.Second; x.wait(200 * time.Millisecond) {
		asked := time.Now()
		pods, err := server.Pods(x.Context())
		if err != nil {
			x.Fatal(err)
		}
		there := false
		for name := range last.pods {
			if usage, ok := pods[name]; ok {
				there, oldest = true, max(oldest, asked.Sub(usage.Timestamp.Time))
			}
		}
		if !there {
			gone = time.Since(stopped)
		}
	}
	x.figure("F2", "one node stays away", "the oldest that was served before it was gone", oldest.Round(100*time.Millisecond), bound+time.Second,
		gone > 0 && oldest <= bound+time.Second && oldest > bound-15*time.Second)
}

// tryHalfCutOff is F3.
func tryHalfCutOff(x *trial) {
	injected := fmt.Sprintf("250 of 500 nodes for %v: half of them refuse connections, half take requests and do not answer", x.lasting(10*time.Minute))
	w := x.world(500, 1)
	server := w.Serve(x)
	x.wait(45 * time.Second)
	cut, healthy := w.Nodes()[:250], truthOf(w.Nodes()[250:]...)
	healthy.within = 0.01
	pid := server.Pid()
	for i, node := range cut {
		node.SetFault(kubelettest.Fault{Hang: true})
		if i%2 == 0 {
			node.Stop()
		}
	}
	unready := &findings{}
	looks := 0
	x.every(5*time.Second, 10*time.Minute, func(ctx context.Context) {
		pods, err := server.Pods(ctx)
		if !healthy.missing.err(err) {
			healthy.hold(pods, freshness)
		}
		looks++
		unready.err(server.Ready(ctx))
	})
	lines, err := server.LogLines("cannot be scraped")
	if err != nil {
		x.Fatal(err)
	}
	for i, node := range cut {
		node.SetFault(kubelettest.Fault{})
		if i%2 == 0 {
			node.Resume()
		}
	}
	healed := time.Now()
	recovered := time.Duration(0)
	for recovered == 0 && time.Since(healed) < 2*time.Minute && x.Context().Err() == nil {
		all := truthOf(w.Nodes()...)
		all.within = 0.01
		if pods, err := server.Pods(x.Context()); err == nil {
			if all.hold(pods, freshness); all.missing.count+all.aged.count+all.values.count == 0 {
				recovered = time.Since(healed)
			}
		}
		x.wait(250 * time.Millisecond)
	}
	minutes := max(1, x.lasting(10*time.Minute).Minutes())
	x.none("F3", injected, "answers of the healthy half missing", &healthy.missing, healthy.answers)
	x.none("F3", injected, "answers of the healthy half older than "+freshness.String(), &healthy.aged, healthy.answers)
	x.none("F3", injected, "answers of the healthy half more than 1 % off", &healthy.values, healthy.answers)
	x.none("F3", injected, "/readyz not ok", unready, looks)
	x.figure("F3", injected, "log lines about nodes", lines, fmt.Sprintf("%d (one a node a minute)", int(250*minutes)), lines <= int(250*minutes))
	x.figure("F3", injected, "the same process", server.Pid() == pid, true, server.Pid() == pid)
	x.figure("F3", "healed", "all nodes fresh after", recovered.Round(100*time.Millisecond), 2*resolution, recovered > 0 && recovered <= 2*resolution)
}
