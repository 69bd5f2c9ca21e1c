// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
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
