// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// ages of pods, by when the tests run.
func young(p *corev1.Pod) { begunAt(time.Now().Add(-settledAge / 2))(p) }

func settled(p *corev1.Pod) { begunAt(time.Now().Add(-settledAge * 2))(p) }

func TestNamespaceSum(t *testing.T) {
	w := newWorld(t, "n1")
	w.pod("shop", "a", "web", settled)
	w.pod("shop", "b", "web", settled)
	w.pod("shop", "going", "web", settled, terminating)
	w.value("shop/a", input.NetworkReceiveBytes, 1.25, at+1)
	w.set("shop/b", input.NetworkReceiveBytes, reading{Value: input.Value{Time: at, Window: 9_000, Value: 2.5}})
	w.value("shop/going", input.NetworkReceiveBytes, 0.25, at+2)

	// None of these has a value, and the sum needs none of them.
	w.pod("shop", "host", "web", settled, onHost)
	w.pod("shop", "crashing", "web", settled, crashed)
	w.pod("shop", "new", "web", young)
	w.absent("shop/new", input.NetworkReceiveBytes, storage.OneSample)
	w.pod("shop", "far", "web", settled, func(p *corev1.Pod) { p.Spec.NodeName = "elsewhere" })
	w.pod("shop", "lost", "web", settled, terminating)
	w.absent("shop/lost", input.NetworkReceiveBytes, storage.Stale)

	want := []custommetrics.Value{{Name: "shop", Time: at, Window: 9_000, Milli: 4_000}}
	if got := w.values(query("namespaces", "", "shop", "", receive)); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}

	// A pod that ought to be in the sum and is not.
	w.pod("shop", "stale", "web", settled)
	w.absent("shop/stale", input.NetworkReceiveBytes, storage.Stale)
	message := "no value of metric " + receive + " for namespace shop: 1 of its 9 running pods without one, and the sum of the others would be too small. " +
		"the newest samples are older than the staleness bound (stale)"
	if got := w.refusal(query("namespaces", "", "shop", "", receive)); got != message {
		t.Errorf("%q, want %q", got, message)
	}

	// Others are not affected by it.
	w.pod("other", "a", "web", settled)
	w.value("other/a", input.NetworkReceiveBytes, 1, at)
	w.pod("zoo", "a", "web", settled)
	w.absent("zoo/a", input.NetworkReceiveBytes, storage.NotGiven) // which a kubelet that has just started does
	want = []custommetrics.Value{{Name: "other", Time: at, Window: 15_000, Milli: 1_000}}
	if got := w.values(query("namespaces", "", "*", "", receive)); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	message = "no value of metric " + receive + " for namespace zoo: 1 of its 1 running pods without one, and the sum of the others would be too small. " +
		"the node's kubelet has no such number of the pod yet (a)"
	if got := w.refusal(query("namespaces", "", "zoo", "", receive)); got != message {
		t.Errorf("%q, want %q", got, message)
	}
}

// TestNamespaceSumByTheNodesClock: how old a pod is, is said by its node's clock,
// which an hour's error must make neither young nor old.
func TestNamespaceSumByTheNodesClock(t *testing.T) {
	for name, offset := range map[string]time.Duration{"ahead": -time.Hour, "behind": time.Hour} {
		w := newWorld(t, "n1")
		w.offsets["n1"] = storage.MillisIn(offset)
		w.pod("shop", "a", "web", begunAt(time.Now().Add(-2*settledAge-offset)))
		w.value("shop/a", input.NetworkReceiveBytes, 1, at)
		w.pod("shop", "new", "web", begunAt(time.Now().Add(-settledAge/2-offset)))
		w.absent("shop/new", input.NetworkReceiveBytes, storage.OneSample)
		if got := w.values(query("namespaces", "", "shop", "", receive)); len(got) != 1 || got[0].Milli != 1_000 {
			t.Errorf("%s: %+v", name, got)
		}
		w.pod("shop", "stale", "web", begunAt(time.Now().Add(-2*settledAge-offset)))
		w.absent("shop/stale", input.NetworkReceiveBytes, storage.Stale)
		if got := w.refusal(query("namespaces", "", "shop", "", receive)); !strings.Contains(got, "1 of its 3 running pods without one") || !strings.Contains(got, "(stale)") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestNamespaceSumOfWhatFewHave: a pod that cannot have the metric is left out.
func TestNamespaceSumOfWhatFewHave(t *testing.T) {
	w := newWorld(t, "n1")
	w.pod("shop", "a", "web", settled)
	w.pod("shop", "without", "web", settled)
	w.value("shop/a", input.CPUThrottledTime, 0.25, at)
	w.absent("shop/without", input.CPUThrottledTime, storage.NotGiven)
	const metric = "cpu_throttled_seconds_per_second"
	if got := w.values(query("namespaces", "", "shop", "", metric)); len(got) != 1 || got[0].Milli != 250 {
		t.Errorf("%+v", got)
	}
	w.absent("shop/a", input.CPUThrottledTime, storage.NotGiven)
	message := "no value of metric " + metric + " for namespace shop: none of its 2 running pods has one. " +
		"2: the node's kubelet does not give the number (such as a); the metric needs a CPU limit, and the CFS quota on (the kubelet's default)"
	if got := w.refusal(query("namespaces", "", "shop", "", metric)); got != message {
		t.Errorf("%q, want %q", got, message)
	}
}

// TestNamespaceShare: shares do not add up; what is above and below does.
func TestNamespaceShare(t *testing.T) {
	w := newWorld(t, "n1")
	w.pod("shop", "a", "web", settled, requesting("1", "1"))
	w.pod("shop", "b", "web", settled, requesting("3", "1"))
	w.pod("shop", "without", "web", settled)
	for pod, cpu := range map[string]uint64{"a": 1e9, "b": 1e9, "without": 100e9} {
		w.usage["shop/"+pod] = storage.PodUsage{Time: at, Window: 1, Containers: []storage.ContainerUsage{{CPU: cpu}}}
	}
	if got := w.values(query("namespaces", "", "shop", "", "cpu_usage_request_ratio")); len(got) != 1 || got[0].Milli != 500 {
		t.Errorf("%+v", got)
	}
	// Nobody ran, so nobody was throttled.
	for _, pod := range []string{"a", "b", "without"} {
		w.value("shop/"+pod, input.CPUPeriods, 0, at)
		w.value("shop/"+pod, input.CPUThrottledPeriods, 0, at)
	}
	if got := w.values(query("namespaces", "", "shop", "", "cpu_throttled_periods_ratio")); len(got) != 1 || got[0].Milli != 0 {
		t.Errorf("%+v", got)
	}
}

// TestNamespacesWithout: no namespace has a value.
func TestNamespacesWithout(t *testing.T) {
	w := newWorld(t, "n1")
	if got, want := w.refusal(query("namespaces", "", "*", "", receive)), "no value of metric "+receive+": 0 namespaces with running pods"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	w.pod("a", "1", "web")
	w.pod("b", "1", "web")
	if got := w.refusal(query("namespaces", "", "*", "", receive)); !strings.Contains(got, "2 namespaces with running pods, none of which has a fresh value") {
		t.Errorf("%q", got)
	}
}
