// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// probe asks a health path; lines are what ?verbose lists, each with its sign.
func probe(t *testing.T, server *genericapiserver.GenericAPIServer, path string) (code int, lines []string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	server.Handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path+"?verbose", nil))
	for line := range strings.Lines(recorder.Body.String()) {
		if strings.HasPrefix(line, "[") {
			lines = append(lines, strings.Fields(line)[0])
		}
	}
	return recorder.Code, lines
}

// TestProbeLines holds the checks and their order, which monitoring compares.
func TestProbeLines(t *testing.T) {
	wantReady := []string{
		"[+]ping", "[+]log", "[+]poststarthook/max-in-flight-filter", "[+]poststarthook/storage-object-count-tracker-hook",
		"[+]metric-storage-ready", "[+]metric-informer-sync", "[+]metadata-informer-sync", "[+]shutdown",
	}
	wantLive := []string{
		"[+]ping", "[+]log", "[+]poststarthook/max-in-flight-filter", "[+]poststarthook/storage-object-count-tracker-hook",
		"[+]metric-collection-timely", "[+]metadata-informer-sync",
	}
	source := crowd(t, time.Now(), 1, 1)
	var stuck error
	server := newServer(t, source, func() error { return stuck })
	server.RunPostStartHooks(t.Context())
	// The hooks run in goroutines of the generic server's that tell nobody else
	// when they have ended; the check of the log cannot run in a bubble.
	deadline := time.Now().Add(time.Minute)
	for code := 0; code != http.StatusOK && time.Now().Before(deadline); code, _ = probe(t, server, "/livez") {
		time.Sleep(time.Millisecond)
	}
	if code, lines := probe(t, server, "/readyz"); code != http.StatusOK || !slices.Equal(lines, wantReady) {
		t.Errorf("readyz: %d\n%q, want\n%q", code, lines, wantReady)
	}
	if code, lines := probe(t, server, "/livez"); code != http.StatusOK || !slices.Equal(lines, wantLive) {
		t.Errorf("livez: %d\n%q, want\n%q", code, lines, wantLive)
	}
	stuck = errors.New("no loop has advanced for a minute")
	wantLive[4] = "[-]metric-collection-timely"
	if code, lines := probe(t, server, "/livez"); code != http.StatusInternalServerError || !slices.Equal(lines, wantLive) {
		t.Errorf("livez of a stuck server: %d %q", code, lines)
	}
	// Liveness is no reason to take the APIService away.
	if code, _ := probe(t, server, "/readyz"); code != http.StatusOK {
		t.Errorf("readyz of a stuck server: %d", code)
	}
}

// TestProbesBeforeSync: unready, but alive, for the API server may be away.
func TestProbesBeforeSync(t *testing.T) {
	source := &Source{Usage: &fakeUsage{}, Nodes: objects.NewNodes(nil), Pods: objects.NewPods()}
	server := newServer(t, source, func() error { return nil })
	code, lines := probe(t, server, "/readyz")
	if code != http.StatusInternalServerError {
		t.Errorf("readyz: %d", code)
	}
	for _, want := range []string{"[-]metric-storage-ready", "[-]metric-informer-sync", "[-]metadata-informer-sync"} {
		if !slices.Contains(lines, want) {
			t.Errorf("readyz lacks %s: %q", want, lines)
		}
	}
	_, lines = probe(t, server, "/livez")
	for _, want := range []string{"[+]metric-collection-timely", "[+]metadata-informer-sync"} {
		if !slices.Contains(lines, want) {
			t.Errorf("livez lacks %s: %q", want, lines)
		}
	}
	// metadata-informer-sync is about pods, metric-informer-sync about both.
	listPods(t, source)
	_, lines = probe(t, server, "/readyz")
	for _, want := range []string{"[-]metric-informer-sync", "[+]metadata-informer-sync"} {
		if !slices.Contains(lines, want) {
			t.Errorf("readyz lacks %s: %q", want, lines)
		}
	}
}

// crowd is a source with one node that has usage and so many settled pods, of
// which some have usage.
func crowd(t *testing.T, start time.Time, servable, settled int) *Source {
	t.Helper()
	usage := &fakeUsage{pods: map[string]storage.PodUsage{}, nodes: map[string]storage.NodeUsage{"n": {Time: sampled, Window: 1}}}
	pods := make([]*corev1.Pod, 0, settled)
	for i := range settled {
		p := pod("ns", fmt.Sprintf("pod-%d", i), "n", nil, "c")
		p.Status.StartTime = &metav1.Time{Time: start.Add(-time.Hour)}
		pods = append(pods, p)
		if i < servable {
			usage.pods["n/ns/"+p.Name] = storage.PodUsage{Time: sampled, Window: 1, Containers: []storage.ContainerUsage{{Name: "c"}}}
		}
	}
	return newSource(t, []*corev1.Node{node("n", nil)}, pods, usage)
}

// TestReadiness holds the rule of 99 %.
func TestReadiness(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		servable, settled int
		want              bool
	}{
		{0, 0, true},
		{0, 1, false},
		{1, 1, true},
		{98, 99, false},
		{99, 100, true},
		{98, 100, false},
		{100, 100, true},
		{989, 1000, false},
		{990, 1000, true},
	} {
		r := &readiness{source: crowd(t, start, c.servable, c.settled), identified: identified, started: start}
		err := r.check(start.Add(time.Second))
		if (err == nil) != c.want {
			t.Errorf("%d of %d: %v", c.servable, c.settled, err)
		}
		if err != nil && !errors.Is(err, ErrNotEnoughUsage) {
			t.Errorf("%d of %d: %v is no ErrNotEnoughUsage", c.servable, c.settled, err)
		}
	}
}

// TestReadinessOfNodes holds the rule of 99 % for nodes: kubectl top nodes works
// once a server is ready, also in a cluster without settled pods.
func TestReadinessOfNodes(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		servable, all int
		want          bool
	}{{0, 1, false}, {1, 1, true}, {98, 100, false}, {99, 100, true}} {
		usage := &fakeUsage{nodes: map[string]storage.NodeUsage{}}
		var nodes []*corev1.Node
		for i := range c.all {
			name := fmt.Sprintf("node-%d", i)
			nodes = append(nodes, node(name, nil))
			if i < c.servable {
				usage.nodes[name] = storage.NodeUsage{Time: sampled, Window: 1}
			}
		}
		r := &readiness{source: newSource(t, nodes, nil, usage), identified: identified, started: start}
		if err := r.check(start.Add(time.Second)); (err == nil) != c.want || err != nil && !errors.Is(err, ErrNotEnoughUsage) {
			t.Errorf("%d of %d: %v", c.servable, c.all, err)
		}
	}
}

// TestReadinessWaitsNoLongerThanAMinute: 60 s after the start it is ready, data
// or not, but never before the objects are listed.
func TestReadinessWaitsNoLongerThanAMinute(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := &readiness{source: crowd(t, start, 0, 10), identified: identified, started: start}
	if err := r.check(start.Add(readyAfter - time.Millisecond)); !errors.Is(err, ErrNotEnoughUsage) {
		t.Errorf("just before: %v", err)
	}
	if err := r.check(start.Add(readyAfter)); err != nil {
		t.Errorf("after: %v", err)
	}

	unsynced := &readiness{source: &Source{Usage: &fakeUsage{}, Nodes: objects.NewNodes(nil), Pods: objects.NewPods()}, identified: identified, started: start}
	if err := unsynced.check(start.Add(time.Hour)); !errors.Is(err, ErrNotSynced) {
		t.Errorf("unsynced: %v", err)
	}
}

// identified is that it is known whose certificates count.
func identified() error { return nil }

// TestReadinessWaitsForIdentities: a server that would take kube-apiserver for
// nobody is not ready, for a minute at most.
func TestReadinessWaitsForIdentities(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	unknown := errors.New("not known yet")
	r := &readiness{source: crowd(t, start, 10, 10), identified: func() error { return unknown }, started: start}
	if err := r.check(start.Add(readyAfter - time.Millisecond)); !errors.Is(err, unknown) {
		t.Errorf("just before: %v", err)
	}
	if err := r.check(start.Add(readyAfter)); err != nil {
		t.Errorf("after: %v", err)
	}
}

// TestReadinessLatches: what was ready stays ready when kubelets fail.
func TestReadinessLatches(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	source := crowd(t, start, 10, 10)
	r := &readiness{source: source, identified: identified, started: start}
	if err := r.check(start.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	source.Usage = &fakeUsage{}
	if err := r.check(start.Add(2 * time.Second)); err != nil {
		t.Errorf("after all usage has gone: %v", err)
	}
}

// TestReadinessCountsSettledPods: a pod is waited for when it is older than 30 s
// by its node's clock and its node is one that is scraped.
func TestReadinessCountsSettledPods(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := start.Add(10 * time.Second)
	aged := func(name, node string, age time.Duration) *corev1.Pod {
		p := pod("ns", name, node, nil, "c")
		p.Status.StartTime = &metav1.Time{Time: at.Add(-age)}
		return p
	}
	for _, c := range []struct {
		pod     *corev1.Pod
		settled int
	}{
		{aged("young", "n", 29*time.Second), 0},
		{aged("old", "n", 31*time.Second), 1},
		{aged("unselected", "other", time.Hour), 0},
		{pod("ns", "unknown", "n", nil, "c"), 1},
		{aged("future", "n", -time.Hour), 0},
		{aged("young-where-it-is-an-hour-later", "ahead", 29*time.Second-time.Hour), 0},
		{aged("old-where-it-is-an-hour-later", "ahead", 31*time.Second-time.Hour), 1},
		{aged("young-where-it-is-an-hour-earlier", "behind", 29*time.Second+time.Hour), 0},
		{aged("old-where-it-is-an-hour-earlier", "behind", 31*time.Second+time.Hour), 1},
	} {
		usage := &fakeUsage{offsets: map[string]storage.Millis{"ahead": storage.MillisIn(-time.Hour), "behind": storage.MillisIn(time.Hour)}}
		nodes := []*corev1.Node{node("n", nil), node("ahead", nil), node("behind", nil)}
		source := newSource(t, nodes, []*corev1.Pod{c.pod}, usage)
		r := &readiness{source: source, identified: identified, started: start}
		if servable, settled := r.countPods(storage.MillisOf(at)); servable != 0 || settled != c.settled {
			t.Errorf("%s: %d of %d, want 0 of %d", c.pod.Name, servable, settled, c.settled)
		}
	}
}

// TestLivenessOfLists: liveness gives the first lists a long time, then asks for
// a restart.
func TestLivenessOfLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &Source{Usage: &fakeUsage{}, Nodes: objects.NewNodes(nil), Pods: objects.NewPods()}
		server := newServer(t, source, func() error { return nil })
		// One check alone: that of the log leaves a goroutine behind.
		check := func(when string, want int) {
			t.Helper()
			if code, _ := probe(t, server, "/livez/metadata-informer-sync"); code != want {
				t.Errorf("%s: %d, want %d", when, code, want)
			}
		}
		check("at the start", http.StatusOK)
		time.Sleep(unsyncedLimit - time.Millisecond)
		check("just before the limit", http.StatusOK)
		time.Sleep(time.Millisecond)
		check("at the limit", http.StatusInternalServerError)
		listPods(t, source)
		check("once listed", http.StatusOK)
	})
}

// TestFreshness: each served item is counted with its age, in metrics-server's
// family.
func TestFreshness(t *testing.T) {
	registry := metrics.NewKubeRegistry()
	source := newWorld(t)
	source.Metrics = NewMetrics(registry.MustRegister)
	server := newServer(t, source, func() error { return nil })
	for _, path := range []string{"v1/pods", "v1beta1/nodes", "v1/nodes/node-a", "v1/namespaces/shop/pods/idle", "v1/nodes/silent", "v1/namespaces/zoo/pods?labelSelector=none"} {
		record(server, path, asJSON)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 1 || families[0].GetName() != "metrics_server_api_metric_freshness_seconds" {
		t.Fatalf("families %v", families)
	}
	histogram := families[0].GetMetric()[0].GetHistogram()
	// 5 pods and 3 nodes in the lists, and one of each alone.
	if got := histogram.GetSampleCount(); got != 10 {
		t.Errorf("%d items, want 10", got)
	}
	if len(families[0].GetMetric()[0].GetLabel()) != 0 {
		t.Errorf("labels %v", families[0].GetMetric()[0].GetLabel())
	}
	if got := len(histogram.GetBucket()); got != 20 {
		t.Errorf("%d buckets, want 20", got)
	}
}
