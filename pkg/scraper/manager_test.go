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

	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestANewSampleBetweenTheTwoAnswers: the kubelet takes a new sample of the
// container after it answered for the resource metrics and before it answers
// for the summary, so the estimate is not of the sample that we have.
func TestSetChangesTheAddressAndKeepsTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.node("node-1")
		moved := r.node("elsewhere")
		r.manager.Set(target("node-1"))
		r.run()
		time.Sleep(time.Minute)
		r.manager.Set(target("node-1")) // The same: nothing.
		asked := len(r.times("node-1"))
		next := target("node-1")
		next.Addresses = []Address{{Type: "Hostname", Host: "elsewhere"}}
		r.manager.Set(next)
		synctest.Wait()
		if got := len(r.times("node-1")); got != asked {
			t.Error("a change of a healthy target's address broke its phase")
		}
		time.Sleep(15 * time.Second)
		if moved.Requests(DefaultResourcePath) != 1 {
			t.Error("the new address was not asked")
		}
		if r.store.forgot["node-1"] != 0 {
			t.Error("the store was made to forget the node")
		}
		if s := r.status("node-1"); s.Address != "elsewhere:10250" {
			t.Errorf("status: %+v", s)
		}
		// A failing node is asked at once when its address changes.
		moved.Stop()
		time.Sleep(5 * time.Minute)
		r.manager.Set(target("node-1"))
		time.Sleep(firstRetry(15 * time.Second)) // Where it was asked just before.
		synctest.Wait()
		if s := r.status("node-1"); s.State != Up {
			t.Errorf("after the address was mended: %+v", s)
		}
	})
}

func TestDeleteCancelsAndForgetsWithinASecond(t *testing.T) {
	for name, hinder := range map[string]func(*rig, *kubelettest.Kubelet){
		"idle":           func(*rig, *kubelettest.Kubelet) {},
		"hanging":        func(_ *rig, k *kubelettest.Kubelet) { k.SetFault(kubelettest.Fault{Hang: true}) },
		"dripping":       func(_ *rig, k *kubelettest.Kubelet) { k.SetFault(kubelettest.Fault{Drip: time.Second}) },
		"dialing":        func(r *rig, k *kubelettest.Kubelet) { k.Stop(); r.network.SetSilent("node-1:10250", true) },
		"never answered": func(_ *rig, k *kubelettest.Kubelet) { k.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{})
				k := r.node("node-1")
				r.run()
				if name != "never answered" {
					r.manager.Set(target("node-1"))
					time.Sleep(time.Minute)
				}
				hinder(r, k)
				r.manager.Set(target("node-1"))
				time.Sleep(16 * time.Second)
				r.manager.Delete("node-1")
				synctest.Wait() // No time passes.
				if got := r.store.forgot["node-1"]; got != 1 {
					t.Fatalf("forgotten %d times", got)
				}
				if nodes, containers := r.store.Points(); nodes != 0 || containers != 0 {
					t.Errorf("the store still has %d nodes and %d containers", nodes, containers)
				}
				if _, ok := r.manager.Status("node-1"); ok {
					t.Error("there is still a status")
				}
				commits := len(r.store.committed("node-1"))
				time.Sleep(time.Hour)
				if len(r.store.committed("node-1")) != commits {
					t.Error("committed after it was forgotten")
				}
				if open, _ := k.Connections(); open != 0 {
					t.Errorf("%d connections stay open", open)
				}
				if text := gather(t, r.manager); strings.Contains(text, "node-1") {
					t.Errorf("metrics still name the node:\n%s", text)
				}
			})
		})
	}
}

func TestDeleteAndSetAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		k := r.node("node-1")
		r.manager.Set(target("node-1"))
		r.run()
		time.Sleep(time.Minute)
		k.SetFault(kubelettest.Fault{Hang: true})
		time.Sleep(15 * time.Second)
		for range 10 {
			r.manager.Delete("node-1")
			r.manager.Set(target("node-1"))
		}
		k.SetFault(kubelettest.Fault{})
		synctest.Wait()
		time.Sleep(20 * time.Second)
		if got := r.store.forgot["node-1"]; got < 1 {
			t.Error("the old node was not forgotten")
		}
		if s := r.status("node-1"); s.State != Up {
			t.Errorf("status: %+v", s)
		}
		if open, _ := k.Connections(); open != 1 {
			t.Errorf("%d connections are open", open)
		}
		r.manager.Delete("node-1")
		r.manager.Set(target("node-1"))
		r.manager.Delete("node-1")
		time.Sleep(time.Second)
		if _, ok := r.manager.Status("node-1"); ok {
			t.Error("deleted last, and still there")
		}
	})
}

func TestSetAndDeleteBeforeAndAfterRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.manager.Set(target("node-1"))
		r.manager.Set(target("node-2"))
		r.manager.Delete("node-2")
		if got := len(r.manager.Statuses()); got != 1 {
			t.Errorf("%d targets", got)
		}
		if err := r.manager.Alive(time.Now().Add(time.Hour)); err != nil {
			t.Errorf("alive before Run: %v", err)
		}
		r.run()
		r.stop()
		synctest.Wait()
		r.manager.Set(target("node-3"))
		r.manager.Delete("node-1")
		r.manager.Delete("node-3")
		synctest.Wait()
	})
}

func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		k := r.node("node-1")
		stuck := make(chan struct{})
		r.manager.Set(target("node-1"))
		r.manager.Set(target("node-2")) // Which does not exist.
		k.SetFault(kubelettest.Fault{Hang: true})
		r.run()
		for range 100 {
			time.Sleep(7 * time.Second)
			if err := r.manager.Alive(time.Now()); err != nil {
				t.Fatalf("kubelets do not answer: %v", err)
			}
		}
		k.SetFault(kubelettest.Fault{})
		r.manager.newDecoder = func() decoder { return stuckDecoder{stuck} }
		r.node("node-3")
		r.manager.Set(target("node-3"))
		time.Sleep(2 * time.Minute)
		if err := r.manager.Alive(time.Now()); err == nil || !strings.Contains(err.Error(), "node-3") {
			t.Errorf("a loop is stuck: got %v", err)
		}
		close(stuck)
	})
}

// stuckDecoder does not return until the channel is closed, and panics then.

// TestChurn sets and deletes nodes at random and holds what is left against a
// plain set.
func TestChurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		const nodes = 40
		for i := range nodes {
			k := r.node(fmt.Sprintf("node-%d", i))
			switch i % 10 {
			case 7:
				k.SetFault(kubelettest.Fault{Hang: true})
			case 8:
				k.SetFault(kubelettest.Fault{Drip: time.Second})
			case 9:
				k.Stop()
			}
		}
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		r.run()
		want := map[string]bool{}
		for range 3000 {
			name := fmt.Sprintf("node-%d", random.IntN(nodes))
			if random.IntN(2) == 0 {
				r.manager.Set(target(name))
				want[name] = true
			} else {
				r.manager.Delete(name)
				delete(want, name)
			}
			if random.IntN(3) == 0 {
				time.Sleep(time.Duration(random.IntN(5000)) * time.Millisecond)
			}
		}
		time.Sleep(time.Minute)
		if got := len(r.manager.Statuses()); got != len(want) {
			t.Errorf("%d targets, want %d", got, len(want))
		}
		now := storage.MillisOf(time.Now())
		for i := range nodes {
			name := fmt.Sprintf("node-%d", i)
			_, absence := r.store.Node(name, now)
			if served, good := absence == storage.Present, want[name] && i%10 < 7; served != good {
				t.Errorf("%s: %v, want it served: %v", name, absence, good)
			}
		}
		for name := range want {
			r.manager.Delete(name)
		}
		synctest.Wait()
		if text := gather(t, r.manager); strings.Contains(text, `node="`) {
			t.Errorf("metrics still name nodes:\n%s", text)
		}
		if got, _ := r.store.Points(); got != 0 || len(r.manager.mu.nodes) != 0 {
			t.Errorf("%d nodes are left in the store, %d in the manager", got, len(r.manager.mu.nodes))
		}
	})
}

func TestInsecureTLSIsLoggedAndShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority, network := kubelettest.NewAuthority(t), kubelettest.NewNetwork()
		k := kubelettest.NewServer(t, kubelettest.Options{Authority: authority, Network: network}).Start("node-1", "elsewhere")
		k.SetUsage(kubelettest.Uniform(1, 1, time.Now().Add(-time.Hour)))
		access := nodeclient.Access{InsecureTLS: true}
		r := newRigWith(t, network, Options{Client: nodeclient.Options{Config: access.Config(&rest.Config{BearerToken: "secret"})}})
		at := target("node-1")
		at.Scheme, at.Addresses[0].Host = access.Scheme(), "elsewhere"
		r.manager.Set(at)
		r.run()
		if s := r.status("node-1"); s.State != Up {
			t.Errorf("status: %+v", s)
		}
		if got := k.LastRequest().Header.Get("Authorization"); got != "Bearer secret" {
			t.Errorf("authorization: got %q", got)
		}
		if got := r.logs.containing("not verified"); len(got) != 1 {
			t.Errorf("logged %q", got)
		}
		text := gather(t, r.manager)
		for _, want := range []string{"metrics_apiserver_scrape_insecure_tls 1", "metrics_apiserver_scrape_unverified_connections_total 1"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in the metrics", want)
			}
		}
	})
}

// TestFirstScrapesAreFew: of many new nodes that hang, few begin at a time and the others
// wait, not for a whole timeout of theirs, and without being taken for loops that do not
// move, nor for nodes that fail; nodes that were scraped before wait for none of them.
func TestFirstScrapesAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const few, hanging = 3, 30
		r := newRig(t, Options{FirstScrapes: few})
		old := r.node("old")
		r.manager.Set(target("old"))
		r.run()
		time.Sleep(time.Minute)
		asked := old.Requests(DefaultResourcePath)
		var kubelets []*kubelettest.Kubelet
		for i := range hanging {
			k := r.node(fmt.Sprintf("hanging-%d", i))
			k.SetFault(kubelettest.Fault{Hang: true})
			kubelets = append(kubelets, k)
			r.manager.Set(target(k.Name))
		}
		r.node("new")
		r.manager.Set(target("new"))
		begun := time.Now()
		for r.status("new").State != Up {
			time.Sleep(time.Second)
			synctest.Wait()
			first := 0
			for _, k := range kubelets {
				if open, _ := k.Connections(); open > 0 && r.status(k.Name).State == Pending {
					first++
				}
			}
			// Those that began in one turn hang for the request's timeout.
			if turns := int(time.Since(begun)/longestFirst) + 1; first > few*min(turns, int(10*time.Second/longestFirst)+1) {
				t.Fatalf("%d nodes are asked for the first time at once after %v", first, time.Since(begun))
			}
			if err := r.manager.Alive(time.Now()); err != nil {
				t.Fatal(err)
			}
			if time.Since(begun) > 3*time.Minute {
				t.Fatal("the last node was never asked")
			}
		}
		if waited, want := time.Since(begun), hanging/few*longestFirst; waited < want || waited > want+5*time.Second {
			t.Errorf("the last node had its turn after %v, want %v", waited, want)
		}
		if got, least := old.Requests(DefaultResourcePath)-asked, int(time.Since(begun)/(15*time.Second)); got < least {
			t.Errorf("a node that is known was asked %d times meanwhile, want %d", got, least)
		}
		if s := r.status("new"); s.Failures != 0 || s.Took > time.Second {
			t.Errorf("waiting counted as scraping: %+v", s)
		}
	})
}
