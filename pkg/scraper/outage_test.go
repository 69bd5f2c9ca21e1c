// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

func TestAnOutageIsLoggedTwiceAndHealsWithinTwoResolutions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		k := r.node("node-1")
		r.manager.Set(target("node-1"))
		r.run()
		time.Sleep(time.Minute)
		k.Stop()
		time.Sleep(10 * time.Minute)
		if s := r.status("node-1"); s.State != Down || s.Reason != nodeclient.ReasonDial || s.Failures < 20 || s.Error == "" {
			t.Errorf("status: %+v", s)
		}
		k.Resume()
		before := k.Requests("/stats/summary")
		time.Sleep(30 * time.Second)
		if s := r.status("node-1"); s.State != Up || s.Unrated != 0 {
			t.Errorf("30 s after it was healed: %+v", s)
		}
		if k.Requests("/stats/summary") == before {
			t.Error("the outage was not bridged")
		}
		if got := r.logs.containing("cannot be scraped"); len(got) != 1 {
			t.Errorf("logged %q", got)
		}
		if got := r.logs.containing("scraped again"); len(got) != 1 || !strings.Contains(got[0], "failedScrapes") {
			t.Errorf("logged %q", got)
		}
	})
}

func TestAFlappingNodeGetsALineAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		k := r.node("node-1")
		r.manager.Set(target("node-1"))
		r.run()
		for range 60 {
			k.SetFault(kubelettest.Fault{Status: 500})
			time.Sleep(20 * time.Second)
			k.SetFault(kubelettest.Fault{})
			time.Sleep(20 * time.Second)
		}
		if got := len(r.logs.containing("scraped")); got < 10 || got > 41 {
			t.Errorf("%d lines in 40 minutes", got)
		}
	})
}

// nodes starts that many kubelets and sets their targets.
func (r *rig) nodes(n int) []*kubelettest.Kubelet {
	kubelets := make([]*kubelettest.Kubelet, n)
	for i := range kubelets {
		kubelets[i] = r.node(fmt.Sprintf("node-%d", i))
		r.manager.Set(target(kubelets[i].Name))
	}
	return kubelets
}

// stale says what of a node is not served at all, or older than age.
func (r *rig) stale(name string, age time.Duration) string {
	now := storage.MillisOf(time.Now())
	if usage, absence := r.store.Node(name, now); absence != storage.Present || time.Since(usage.Time.Time()) > age {
		return fmt.Sprintf("%s: %v, from %v ago", name, absence, time.Since(usage.Time.Time()))
	}
	for _, pod := range kubelettest.Uniform(3, 2, r.epoch).Pods {
		usage, absence := r.store.Pod(nil, storage.PodQuery{Node: name, Namespace: pod.Namespace, Name: pod.Name}, now)
		if absence != storage.Present || time.Since(usage.Time.Time()) > age {
			return fmt.Sprintf("%s: pod %s: %v, from %v ago", name, pod.Name, absence, time.Since(usage.Time.Time()))
		}
	}
	return ""
}

// freshness is how old a healthy node's samples get: the kubelet takes one each
// 10 s, and we ask each 15 s.
const freshness = 26 * time.Second

func TestDeadAndDrippingNodesDelayNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		kubelets := r.nodes(100)
		r.network.SetSilent(kubelets[0].Address(), true)
		kubelets[1].SetFault(kubelettest.Fault{Drip: time.Second})
		kubelets[2].SetFault(kubelettest.Fault{Hang: true})
		r.run()
		time.Sleep(5 * time.Minute)
		for _, k := range kubelets[3:] {
			times := r.times(k.Name)
			if times[0] > 100*time.Millisecond {
				t.Errorf("%s: first asked after %v", k.Name, times[0])
			}
			for i, at := range times[2:] {
				if gap := at - times[i+1]; gap > 15*time.Second {
					t.Errorf("%s: not asked for %v", k.Name, gap)
				}
			}
		}
		for _, k := range kubelets[:3] {
			if len(r.times(k.Name)) != 0 {
				t.Errorf("%s: committed something", k.Name)
			}
			if open, _ := k.Connections(); open > 1 {
				t.Errorf("%s: %d connections", k.Name, open)
			}
		}
	})
}

func TestLostScrapesAreNotSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		kubelets := r.nodes(10)
		r.run()
		time.Sleep(10 * time.Second)
		random := rand.New(rand.NewPCG(1, 2))
		for range 100 {
			for _, k := range kubelets {
				k.SetFault(kubelettest.Fault{Reset: true, Times: 1 + random.IntN(2)})
			}
			time.Sleep(15 * time.Second)
			for _, k := range kubelets {
				// Tried again after 2 s and 4 s, it is hardly seen in the age.
				if bad := r.stale(k.Name, freshness+6*time.Second); bad != "" {
					t.Fatal(bad)
				}
			}
		}
		kubelets[0].Stop()
		time.Sleep(storage.StalenessBound(15*time.Second) + time.Second)
		if _, absence := r.store.Node("node-0", storage.MillisOf(time.Now())); absence != storage.Stale {
			t.Errorf("beyond the staleness bound: %v", absence)
		}
	})
}

func TestHalfTheNodesAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		kubelets := r.nodes(60)
		r.run()
		time.Sleep(time.Minute)
		cut := kubelets[:30]
		for i, k := range cut {
			if i%2 == 0 {
				k.Stop()
			}
			r.network.SetSilent(k.Address(), i%2 == 1)
			k.SetFault(kubelettest.Fault{Hang: true})
		}
		for range 10 {
			time.Sleep(time.Minute)
			if err := r.manager.Alive(time.Now()); err != nil {
				t.Errorf("alive: %v", err)
			}
			for _, k := range kubelets[30:] {
				if bad := r.stale(k.Name, freshness); bad != "" {
					t.Errorf("a healthy node suffers: %s", bad)
				}
			}
		}
		if got := len(r.logs.containing("cannot be scraped")); got != len(cut) {
			t.Errorf("%d lines for %d nodes", got, len(cut))
		}
		for i, k := range cut {
			if i%2 == 0 {
				k.Resume()
			}
			r.network.SetSilent(k.Address(), false)
			k.SetFault(kubelettest.Fault{})
		}
		time.Sleep(30 * time.Second)
		for _, k := range kubelets {
			if bad := r.stale(k.Name, 30*time.Second); bad != "" {
				t.Errorf("two resolutions after the cut: %s", bad)
			}
			if _, opened := k.Connections(); opened > 2 {
				t.Errorf("%s: %d connections were opened", k.Name, opened)
			}
		}
	})
}
