// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// at is when all is sampled in these tests.
const at storage.Millis = 1_767_323_045_000

const receive = "network_receive_bytes_per_second"

func TestPods(t *testing.T) {
	w := newWorld(t, "n1")
	w.pod("shop", "web-2", "web")
	w.pod("shop", "web-1", "web")
	w.pod("shop", "web-3", "web")
	w.pod("shop", "web-4", "web", terminating)
	w.pod("shop", "web-5", "web", onHost)
	w.pod("shop", "db-1", "db")
	w.pod("other", "web-1", "web")
	for i, pod := range []string{"shop/web-1", "shop/web-2", "shop/web-4", "shop/web-5", "shop/db-1", "other/web-1"} {
		w.value(pod, input.NetworkReceiveBytes, float64(i)+0.5, at+storage.Millis(i))
	}
	w.absent("shop/web-3", input.NetworkReceiveBytes, storage.Stale)

	want := []custommetrics.Value{
		{Namespace: "shop", Name: "web-1", Time: at, Window: 15_000, Milli: 500},
		{Namespace: "shop", Name: "web-2", Time: at + 1, Window: 15_000, Milli: 1_500},
	}
	if got := w.values(query("pods", "shop", "*", "web", receive)); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := w.values(query("pods", "shop", "*", "", receive)); len(got) != 3 || got[0].Name != "db-1" {
		t.Errorf("of all: %+v", got)
	}
	// By its name, a pod that goes is still there.
	if got := w.values(query("pods", "shop", "web-4", "", receive)); len(got) != 1 || got[0].Milli != 2_500 {
		t.Errorf("of one: %+v", got)
	}
	// In all namespaces, by namespace and name.
	if got := w.values(query("pods", "", "*", "web", receive)); len(got) != 3 || got[0].Namespace != "other" {
		t.Errorf("everywhere: %+v", got)
	}

	// What is in the answer already stays, and its room is used.
	a := custommetrics.Answer{Values: make([]custommetrics.Value, 1, 10)}
	room := &a.Values[:2][1]
	if err := w.provider().Custom(t.Context(), query("pods", "shop", "*", "web", receive), &a); err != nil {
		t.Fatal(err)
	}
	if len(a.Values) != 3 || a.Values[1] != want[0] || &a.Values[1] != room || a.Kind != "Pod" || a.APIVersion != "v1" {
		t.Errorf("%+v", a)
	}
}

func TestNodes(t *testing.T) {
	w := newWorld(t, "n2", "n1", "n3")
	w.value("n1", input.NetworkReceiveBytes, 1, at)
	w.value("n2", input.NetworkReceiveBytes, 2, at)
	if got := w.values(query("nodes", "", "*", "", receive)); len(got) != 2 || got[0].Name != "n1" || got[1].Milli != 2000 || got[0].Namespace != "" {
		t.Errorf("%+v", got)
	}
	one := query("nodes", "", "*", "", receive)
	one.Selector = labels.SelectorFromSet(labels.Set{"name": "n2"})
	if got := w.values(one); len(got) != 1 || got[0].Name != "n2" {
		t.Errorf("%+v", got)
	}
	if got := w.values(query("nodes", "", "n1", "", receive)); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestFormulas computes each kind of formula.
func TestFormulas(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.pod("shop", "a", "web", requesting("250m", "1Ki"), limitedTo("2", "4Ki"))
	w.pod("shop", "b", "web")
	usage := storage.PodUsage{Time: at, Window: 12_000, Containers: []storage.ContainerUsage{
		{Name: "c", CPU: 100_000_000, Memory: 1024, Swap: 7, HasSwap: true},
		{Name: "d", CPU: 25_000_000, Memory: 512, Swap: 0, HasSwap: true},
	}}
	w.usage["shop/a"] = usage
	w.usage["shop/b"] = storage.PodUsage{Time: at, Window: 12_000, Containers: []storage.ContainerUsage{{Name: "c"}}}
	w.ofNodes["n1"] = storage.NodeUsage{Time: at, Window: 11_000, CPU: 1_500_000_000, Memory: 4096, Swap: 3, HasSwap: true}
	w.ofNodes["n2"] = storage.NodeUsage{Time: at, Window: 11_000}
	w.value("shop/a", input.CPUThrottledPeriods, 1, at)
	w.set("shop/a", input.CPUPeriods, reading{Value: input.Value{Time: at - 5, Window: 9_000, Value: 10}})
	w.value("shop/b", input.CPUThrottledPeriods, 0, at)
	w.value("shop/b", input.CPUPeriods, 0, at)
	w.value("shop/a", input.CPUPressureSome, 0.25, at)
	w.value("n1", input.NodeFilesystemUsed, 25, at)
	w.value("n1", input.NodeFilesystemCapacity, 100, at)
	w.value("n2", input.NodeFilesystemUsed, 0, at)
	w.value("n2", input.NodeFilesystemCapacity, 0, at)

	for _, c := range []struct {
		resource, name, metric string
		want                   custommetrics.Value
	}{
		{"pods", "a", "cpu_usage_cores", custommetrics.Value{Time: at, Window: 12_000, Milli: 125}},
		{"pods", "a", "cpu_usage_request_ratio", custommetrics.Value{Time: at, Window: 12_000, Milli: 500}},
		{"pods", "a", "cpu_usage_limit_ratio", custommetrics.Value{Time: at, Window: 12_000, Milli: 63}}, // 0.0625
		{"pods", "a", "memory_working_set_bytes", custommetrics.Value{Time: at, Milli: 1_536_000}},
		{"pods", "a", "memory_working_set_request_ratio", custommetrics.Value{Time: at, Milli: 1_500}},
		{"pods", "a", "memory_working_set_limit_ratio", custommetrics.Value{Time: at, Milli: 375}},
		{"pods", "a", "memory_swap_bytes", custommetrics.Value{Time: at, Milli: 7_000}},
		{"pods", "b", "cpu_usage_cores", custommetrics.Value{Time: at, Window: 12_000}},
		{"pods", "a", "cpu_throttled_periods_ratio", custommetrics.Value{Time: at - 5, Window: 9_000, Milli: 100}},
		{"pods", "b", "cpu_throttled_periods_ratio", custommetrics.Value{Time: at, Window: 15_000}},
		{"pods", "a", "cpu_pressure_some_ratio", custommetrics.Value{Time: at, Window: 15_000, Milli: 250}},
		{"nodes", "n1", "cpu_usage_cores", custommetrics.Value{Time: at, Window: 11_000, Milli: 1_500}},
		{"nodes", "n1", "memory_working_set_bytes", custommetrics.Value{Time: at, Milli: 4_096_000}},
		{"nodes", "n1", "memory_swap_bytes", custommetrics.Value{Time: at, Milli: 3_000}},
		{"nodes", "n1", "filesystem_used_ratio", custommetrics.Value{Time: at, Window: 15_000, Milli: 250}},
	} {
		namespace := ""
		if c.resource == "pods" {
			namespace = "shop"
		}
		c.want.Namespace, c.want.Name = namespace, c.name
		if got := w.values(query(c.resource, namespace, c.name, "", c.metric)); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s of %s: %+v, want %+v", c.metric, c.name, got, c.want)
		}
	}

	for _, c := range []struct{ resource, name, metric, want string }{
		{"pods", "b", "cpu_usage_request_ratio", "requests none"},
		{"pods", "b", "memory_working_set_limit_ratio", "has no limit"},
		{"pods", "b", "memory_swap_bytes", "needs swap on the node"},
		{"pods", "b", "cpu_pressure_some_ratio", "not collected from the node yet"},
		{"nodes", "n2", "memory_swap_bytes", "needs swap on the node"},
		{"nodes", "n2", "filesystem_used_ratio", "does not give"},
	} {
		namespace := ""
		if c.resource == "pods" {
			namespace = "shop"
		}
		if got := w.refusal(query(c.resource, namespace, c.name, "", c.metric)); !strings.Contains(got, c.want) {
			t.Errorf("%s of %s: %q, want %q in it", c.metric, c.name, got, c.want)
		}
	}
	// Restarts come from the object, and are as of now.
	w.pod("shop", "c", "web", func(p *corev1.Pod) { p.Status.ContainerStatuses[0].RestartCount = 4 })
	if got := w.values(query("pods", "shop", "c", "", "container_restarts")); len(got) != 1 || got[0].Milli != 4_000 || got[0].Time <= at {
		t.Errorf("%+v", got)
	}
}

// TestEveryMetric asks for every metric of every resource in a world where all
// readings are 2, and requests and limits 1.
func TestEveryMetric(t *testing.T) {
	w := newWorld(t, "n1")
	for _, name := range []string{"a", "b"} {
		w.pod("shop", name, "web", requesting("1", "1"), limitedTo("1", "1"))
		w.usage["shop/"+name] = storage.PodUsage{Time: at, Window: 1, Containers: []storage.ContainerUsage{{CPU: 2e9, Memory: 2, Swap: 2, HasSwap: true}}}
		for id := range input.IDs {
			w.value("shop/"+name, id, 2, at)
		}
	}
	w.ofNodes["n1"] = storage.NodeUsage{Time: at, Window: 1, CPU: 2e9, Memory: 2, Swap: 2, HasSwap: true}
	for id := range input.IDs {
		w.value("n1", id, 2, at)
	}
	for _, info := range w.provider().Metrics() {
		m := byName()[info.Metric]
		q := query(info.Resource.Resource, "", "*", "", info.Metric)
		n, want := 1, int64(2_000)
		f := m.Pods
		switch info.Resource.Resource {
		case "pods":
			q.Namespace, n = "shop", 2
		case "nodes":
			f = m.Nodes
		case "namespaces":
			q.Name, want = "shop", 4_000
		}
		switch f.kind {
		case ofQuotient:
			want = 1_000
		case ofShare:
			want = 2_000
		case ofRestarts:
			want = 0
		}
		got := w.values(q)
		if len(got) != n {
			t.Errorf("%s of %s: %+v", info.Metric, info.Resource, got)
			continue
		}
		for _, v := range got {
			if v.Milli != want {
				t.Errorf("%s of %s: %+v, want %d", info.Metric, info.Resource, v, want)
			}
		}
	}
}

// TestNoNumberLeaves: what is no number, or too large to be one, is no value.
func TestNoNumberLeaves(t *testing.T) {
	for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e16} {
		w := newWorld(t, "n1")
		w.pod("shop", "a", "web")
		w.value("shop/a", input.NetworkReceiveBytes, value, at)
		if got := w.refusal(query("pods", "shop", "*", "", receive)); !strings.Contains(got, "too large, or no number") {
			t.Errorf("%v: %q", value, got)
		}
		if got := w.refusal(query("namespaces", "", "shop", "", receive)); !strings.Contains(got, "too large, or no number") {
			t.Errorf("%v: %q", value, got)
		}
	}
}

// TestNotSynced: before the objects are known, nothing is "not found".
func TestNotSynced(t *testing.T) {
	w := newWorld(t, "n1")
	w.pods = objects.NewPods()
	var a custommetrics.Answer
	if err := w.provider().Custom(t.Context(), query("pods", "shop", "*", "", receive), &a); !errors.Is(err, ErrNotSynced) {
		t.Error(err)
	}
}

// TestOff: what is never collected is not waited for.
func TestOff(t *testing.T) {
	w := newWorld(t, "n1")
	w.pod("shop", "a", "web")
	p := w.provider()
	p.options.Off, p.options.OffBecause = input.Summary.Of(), "of a reason"
	var a custommetrics.Answer
	err := p.Custom(t.Context(), query("pods", "shop", "*", "", receive), &a)
	if want := "no value of metric " + receive + ": it is not collected, because of a reason"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	w.value("shop/a", input.Threads, 1, at)
	if err := p.Custom(t.Context(), query("pods", "shop", "*", "", "threads"), &a); err != nil {
		t.Error(err)
	}
}

func TestMetricSelector(t *testing.T) {
	w := newWorld(t, "n1")
	w.pod("shop", "a", "web")
	w.value("shop/a", input.NetworkReceiveBytes, 1, at)
	for text, matches := range map[string]bool{"verb=GET": false, "verb": false, "verb in (GET)": false, "!verb": true, "verb!=GET": true, "": true} {
		q := query("pods", "shop", "*", "", receive)
		var err error
		if q.MetricSelector, err = labels.Parse(text); err != nil {
			t.Fatal(err)
		}
		if matches {
			if got := w.values(q); len(got) != 1 {
				t.Errorf("%s: %+v", text, got)
			}
		} else if got := w.refusal(q); !strings.Contains(got, "has no labels") || !strings.Contains(got, text) {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// TestUnknown: what is not known at all, and what may have been meant.
func TestUnknown(t *testing.T) {
	w := newWorld(t, "n1")
	w.pod("shop", "a", "web")
	for _, c := range []struct {
		q    *custommetrics.Query
		want string
	}{
		{query("pods", "shop", "*", "", "container_network_receive_bytes_total"), "there is no metric container_network_receive_bytes_total; did you mean network_receive_bytes_per_second?"},
		{query("pods", "shop", "*", "", "network_receive_bytes"), "there is no metric network_receive_bytes; did you mean network_receive_bytes_per_second?"},
		{query("pods", "shop", "*", "", "fs_reads_total"), "there is no metric fs_reads_total; did you mean filesystem_reads_per_second?"},
		{query("pods", "shop", "*", "", "memory_working_set"), "there is no metric memory_working_set; did you mean memory_working_set_bytes?"},
		{query("pods", "shop", "*", "", "http_requests"), "there is no metric http_requests"},
		{query("nodes", "", "*", "", "processes"), "nodes have no metric processes; pods and namespaces have"},
		{query("pods", "shop", "*", "", "filesystem_used_ratio"), "pods have no metric filesystem_used_ratio; nodes have"},
		{query("namespaces", "", "shop", "", "cpu_pressure_some_ratio"), "namespaces have no metric cpu_pressure_some_ratio; pods and nodes have"},
		{query("services", "shop", "web", "", receive), "services have no metric " + receive + "; pods and nodes and namespaces have"},
		{query("pods", "shop", "absent", "", receive), "no value of metric " + receive + ": no pod absent runs in namespace shop"},
		{query("nodes", "", "absent", "", receive), "no value of metric " + receive + ": there is no node absent, or it is not among those that are scraped"},
		{query("nodes", "shop", "n1", "", receive), "nodes are in no namespace, so metric " + receive + " of node n1 cannot be asked for in namespace shop, which is what an HPA does"},
		{query("namespaces", "", "absent", "", receive), "no value of metric " + receive + ": no pod runs in namespace absent"},
		{query("namespaces", "", "*", "web", receive), `namespaces cannot be selected by labels ("app=web") for metric ` + receive + ": ask for one by its name, or for all"},
	} {
		if got := w.refusal(c.q); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
	grouped := query("pods", "shop", "*", "", receive)
	grouped.Resource = schema.GroupResource{Group: "metrics.k8s.io", Resource: "pods"}
	if got := w.refusal(grouped); !strings.HasPrefix(got, "pods.metrics.k8s.io have no metric") {
		t.Errorf("%q", got)
	}
}

// TestReasons is what stands in `kubectl describe hpa` while there is no value.
func TestReasons(t *testing.T) {
	w := newWorld(t, "n1")
	w.pod("shop", "web-1", "web")
	w.pod("shop", "web-2", "web")
	w.pod("shop", "web-3", "web")
	w.pod("shop", "down-1", "down", crashed)
	w.pod("shop", "host-1", "host", onHost)
	w.pod("shop", "far-1", "far", func(p *corev1.Pod) { p.Spec.NodeName = "elsewhere" })
	w.pod("shop", "old-1", "old")
	w.absent("shop/web-1", input.NetworkReceiveBytes, storage.OneSample)
	w.absent("shop/web-2", input.NetworkReceiveBytes, storage.Stale)
	w.absent("shop/web-3", input.NetworkReceiveBytes, storage.OneSample)
	w.absent("shop/down-1", input.NetworkReceiveBytes, storage.NotReported)
	w.absent("shop/old-1", input.CPUPressureSome, storage.NotGiven)
	w.absent("shop/web-1", input.CPUPressureSome, storage.NotGiven)

	prefix := "no value of metric " + receive + " in namespace shop: "
	for _, c := range []struct {
		q    *custommetrics.Query
		want string
	}{
		{query("pods", "shop", "*", "none", receive), prefix + `0 running pods with selector "app=none"`},
		{query("pods", "empty", "*", "", receive), "no value of metric " + receive + " in namespace empty: 0 running pods"},
		{query("pods", "shop", "*", "web", receive), prefix + `3 running pods with selector "app=web", none of which has a fresh value. ` +
			"2: a rate takes two samples, and the node has given one (such as web-1); 1: the newest samples are older than the staleness bound (such as web-2)"},
		{query("pods", "shop", "*", "down", receive), prefix + `1 running pod with selector "app=down", none of which has a fresh value. none of its containers runs (down-1)`},
		{query("pods", "shop", "*", "host", receive), prefix + `1 running pod with selector "app=host", none of which has a fresh value. the pod is on its node's network and has none of its own (host-1)`},
		{query("pods", "shop", "*", "far", receive), prefix + `1 running pod with selector "app=far", none of which has a fresh value. its node is not among those that are scraped (far-1)`},
		{query("pods", "shop", "web-2", "", receive), "no value of metric " + receive + " for pod web-2 in namespace shop: the newest samples are older than the staleness bound"},
		{query("nodes", "", "n1", "", receive), "no value of metric " + receive + " for node n1: the number is not collected from the node yet"},
		{query("pods", "shop", "old-1", "", "cpu_pressure_some_ratio"), "no value of metric cpu_pressure_some_ratio for pod old-1 in namespace shop: the node's kubelet does not give the number; the metric needs cgroup v2, a kernel with PSI, and Kubernetes 1.34 or newer"},
	} {
		if got := w.refusal(c.q); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}
