// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/metrics-apiserver/metrics-apiserver/hack/chaos/rig"
)

// Limits of F25. kube-apiserver keeps one connection, which goes to one replica.
// Where that is dead, it learns so at once, and the Service within a probe. Where
// it only says nothing, the connection is tried after 30 s of silence and given up
// 15 s later, by client-go's settings for HTTP/2.
const (
	killedLimit = 3 * time.Second
	hungLimit   = 50 * time.Second
	hangs       = 75 * time.Second
)

// tryOneOfTwoReplicas is F25.
func tryOneOfTwoReplicas(x *trial) {
	w := x.world(10, 4)
	balancer := rig.NewBalancer(x)
	servers := []*rig.Server{w.Serve(x), w.Serve(x)}
	// kube-apiserver's connection goes to the first, as it is alone.
	balancer.Add(servers[0])
	x.register("metrics-replicas", balancer.Port, rollingAPI())
	x.wait(45 * time.Second)
	truth := truthOf(w.Nodes()...)
	truth.within = 0.01
	a := &asking{truth: truth, url: x.site.Server() + "/apis/metrics.k8s.io/v1/namespaces/" + w.Namespace + "/pods"}
	config, err := x.site.RESTConfig()
	if err != nil {
		x.Fatal(err)
	}
	if a.client, err = rest.HTTPClientFor(config); err != nil {
		x.Fatal(err)
	}
	balancer.Add(servers[1])

	ask := func(d time.Duration) {
		a.gaps, a.longest = gap{}, 0
		var group sync.WaitGroup
		for begun := time.Now(); time.Since(begun) < d && x.Context().Err() == nil; x.wait(200 * time.Millisecond) {
			group.Go(func() { a.one(x.Context()) })
		}
		group.Wait()
	}
	if err := x.site.KillComponent(servers[0].Name); err != nil {
		x.Fatal(err)
	}
	ask(15 * time.Second)
	balancer.Remove(servers[0])
	injected := "of two replicas, the one that kube-apiserver is connected to is killed"
	x.figure("F25", injected, fmt.Sprintf("from the first of %d requests that were not answered to the last", a.gaps.count), a.gaps.length().Round(10*time.Millisecond), killedLimit, a.gaps.length() <= killedLimit)

	// Now it is connected to the second, and a third joins.
	third := w.Serve(x)
	balancer.Add(third)
	pid := servers[1].Pid()
	servers[1].Hang(x)
	ask(hangs)
	injected = fmt.Sprintf("the one that it is connected to then hangs for %v", hangs)
	x.figure("F25", injected, fmt.Sprintf("from the first of %d requests that were not answered within a second to the last", a.gaps.count), a.gaps.length().Round(100*time.Millisecond), hungLimit, a.gaps.count > 0 && a.gaps.length() <= hungLimit)
	x.figure("F25", injected, "the longest that a request waited", a.longest.Round(100*time.Millisecond), hungLimit, a.longest <= hungLimit)

	servers[1].Continue(x)
	went, complete := time.Now(), time.Duration(0)
	for complete == 0 && time.Since(went) < 2*time.Minute && x.Context().Err() == nil {
		// What is too old is not served, so pods may be missing at first.
		if pods, err := servers[1].Pods(x.Context()); err == nil {
			one := truthOf(w.Nodes()...)
			one.within = 0.01
			one.hold(pods, time.Minute+2*time.Second)
			if truth.aged.count += one.aged.count; one.aged.count > 0 {
				truth.aged.first = one.aged.first
			}
			if truth.values.count += one.values.count; one.values.count > 0 {
				truth.values.first = one.values.first
			}
			if one.missing.count == 0 {
				complete = max(time.Since(went), time.Millisecond)
			}
		}
		x.wait(50 * time.Millisecond)
	}
	ask(20 * time.Second)
	injected = "it goes on"
	x.figure("F25", injected, "its first complete answer after", complete.Round(10*time.Millisecond), resolution, complete > 0 && complete <= resolution)
	x.figure("F25", injected, "the same process", servers[1].Pid() == pid, true, servers[1].Pid() == pid)
	x.figure("F25", injected, "requests that were not answered", a.gaps.count, 0, a.gaps.count == 0)
	injected = "all of this"
	x.none("F25", injected, "answers that lack a pod or a container", &truth.missing, truth.answers)
	x.none("F25", injected, "answers beyond the staleness bound", &truth.aged, truth.answers)
	x.none("F25", injected, "answers more than 1 % off", &truth.values, truth.answers)
}

// asking asks for pods through the aggregation layer.
type asking struct {
	client *http.Client
	url    string

	mu      sync.Mutex
	truth   *truth
	gaps    gap
	longest time.Duration
}

// gap is from the first request that was not answered in time to the last.
type gap struct {
	count    int
	from, to time.Time
}

func (g gap) length() time.Duration { return g.to.Sub(g.from) }

// one asks once, for as long as kube-apiserver would let it.
func (a *asking) one(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 65*time.Second)
	defer cancel()
	asked := time.Now()
	var list metricsv1beta1.PodMetricsList
	err := getJSON(ctx, a.client, a.url, &list)
	a.mu.Lock()
	defer a.mu.Unlock()
	took := time.Since(asked)
	if a.longest = max(a.longest, took); err != nil || took > time.Second {
		if a.gaps.count++; a.gaps.from.IsZero() || asked.Before(a.gaps.from) {
			a.gaps.from = asked
		}
		if asked.After(a.gaps.to) {
			a.gaps.to = asked
		}
	}
	if err != nil {
		return
	}
	served := map[string]metricsv1beta1.PodMetrics{}
	for i := range list.Items {
		served[list.Items[i].Name] = list.Items[i]
	}
	a.truth.hold(served, time.Minute+2*time.Second)
}
