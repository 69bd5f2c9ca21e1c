// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestKnownPod: a place is that of one pod for as long as there is one of its
// name, and gone for ever then.
func TestKnownPod(t *testing.T) {
	pods := NewPods()
	if known := pods.Find("shop", "web"); known != nil {
		t.Errorf("found %v in an empty store", known)
	}
	want := func(known storage.KnownPod, containers ...string) {
		t.Helper()
		statuses, ok := known.Statuses()
		if ok != (len(containers) > 0) || len(statuses) != len(containers) {
			t.Fatalf("%v, %v, want %v", statuses, ok, containers)
		}
		for i := range statuses {
			if statuses[i].Name != containers[i] {
				t.Errorf("%v, want %v", statuses, containers)
			}
		}
	}
	must(t, pods.Add(runningPod("shop", "web", "node-a", nil, "app")))
	first := pods.Find("shop", "web")
	want(first, "app")
	must(t, pods.Update(runningPod("shop", "web", "node-a", nil, "app", "proxy")))
	want(first, "app", "proxy")
	if pods.Find("shop", "web") != first {
		t.Error("a changed pod is another")
	}
	if pods.Find("shop", "db") != nil || pods.Find("none", "web") != nil {
		t.Error("found what is not there")
	}
	// A reflector that missed the deletion sees an update.
	must(t, pods.Update(runningPod("shop", "web", "node-b", nil, "db")))
	want(first, "db")

	must(t, pods.Delete(runningPod("shop", "web", "", nil)))
	want(first)
	if pods.Find("shop", "web") != nil {
		t.Error("found a deleted pod")
	}
	must(t, pods.Add(runningPod("shop", "web", "node-a", nil, "app")))
	want(first)
	second := pods.Find("shop", "web")
	want(second, "app")
	if first == second {
		t.Error("a pod made anew is the same")
	}
	must(t, pods.Replace(nil, ""))
	want(second)
}

// TestQueryPlaces: pods of one node share its place; a pod that is moved has the
// place of its new node from then on.
func TestQueryPlaces(t *testing.T) {
	pods := NewPods()
	query := func(name string) storage.PodQuery {
		pod, _ := pods.Get("shop", name)
		return pod.Query()
	}
	must(t, pods.Add(runningPod("shop", "1", "node-a", nil)))
	must(t, pods.Add(runningPod("shop", "2", "node-a", nil)))
	must(t, pods.Add(runningPod("shop", "3", "node-b", nil)))
	one, two, three := query("1"), query("2"), query("3")
	if one.NodePlace != two.NodePlace || one.NodePlace == three.NodePlace || one.Place == two.Place {
		t.Errorf("%+v %+v %+v", one, two, three)
	}
	must(t, pods.Update(runningPod("shop", "1", "node-b", nil)))
	if moved := query("1"); moved.NodePlace != three.NodePlace || moved.Place != one.Place || moved.Known != one.Known {
		t.Errorf("%+v, want %+v", moved, three)
	}
}
