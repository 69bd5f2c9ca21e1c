// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// scaler is an HPA on metrics of pods.
func scaler(name string, metrics ...string) *autoscalingv2.HorizontalPodAutoscaler {
	h := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, ResourceVersion: "1"}}
	for _, metric := range metrics {
		h.Spec.Metrics = append(h.Spec.Metrics, autoscalingv2.MetricSpec{
			Type: autoscalingv2.PodsMetricSourceType,
			Pods: &autoscalingv2.PodsMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: metric}},
		})
	}
	return h
}

// onObject is an HPA on a metric of one object.
func onObject(name, apiVersion, kind, metric string) *autoscalingv2.HorizontalPodAutoscaler {
	h := scaler(name)
	h.Spec.Metrics = []autoscalingv2.MetricSpec{{
		Type: autoscalingv2.ObjectMetricSourceType,
		Object: &autoscalingv2.ObjectMetricSource{
			DescribedObject: autoscalingv2.CrossVersionObjectReference{APIVersion: apiVersion, Kind: kind, Name: "shop"},
			Metric:          autoscalingv2.MetricIdentifier{Name: metric},
		},
	}}
	return h
}

func newHPAStore(t *testing.T) *hpaStore {
	t.Helper()
	d, err := NewDemand(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &hpaStore{demand: d, metrics: byName()}
}

func TestHPAs(t *testing.T) {
	s := newHPAStore(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	wants := func(ids ...input.ID) {
		t.Helper()
		if got, want := s.demand.mu.ofHPAs, input.SetOf(ids...); got != want {
			t.Errorf("wanted is %b, want %b", got, want)
		}
	}
	must(s.Add(scaler("a", "threads", "cpu_throttled_periods_ratio")))
	wants(input.Threads, input.CPUThrottledPeriods, input.CPUPeriods)
	must(s.Update(scaler("a", "memory_rss_bytes", "cpu_usage_cores", "http_requests")))
	wants(input.MemoryRSS)
	must(s.Add(onObject("namespace", "v1", "Namespace", "processes")))
	must(s.Add(onObject("pod", "", "Pod", "memory_cache_bytes")))
	must(s.Add(onObject("node", "v1", "Node", "threads")))
	must(s.Add(onObject("other", "other.example/v1", "Namespace", "threads")))
	must(s.Add(&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "cpu"}, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu"}}},
	}}))
	wants(input.MemoryRSS, input.Processes, input.MemoryCache)
	if n := len(s.demand.mu.byHPA); n != 3 {
		t.Errorf("%d HPAs are held, want the 3 that need something", n)
	}
	must(s.Delete(scaler("a")))
	must(s.Delete(cache.DeletedFinalStateUnknown{Key: "shop/pod", Obj: scaler("pod")}))
	wants(input.Processes)

	trimmed, err := s.Transformer()(scaler("b", "threads"))
	must(err)
	must(s.Replace([]any{trimmed, scaler("c", "oom_kills_per_second"), scaler("d")}, "7"))
	wants(input.Threads, input.OOMEvents)
	must(s.Resync())
	for _, err := range []error{s.Add(1), s.Delete(1), s.Replace([]any{1}, "")} {
		if err == nil {
			t.Error("a number is taken for an HPA")
		}
	}
	if _, err := s.Transformer()(1); err == nil {
		t.Error("a number is taken for an HPA")
	}
	wants(input.Threads, input.OOMEvents)
}

// TestWatchHPAs lists and watches an API server.
func TestWatchHPAs(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		q := r.URL.Query()
		switch {
		case r.URL.Path != "/apis/autoscaling/v2/horizontalpodautoscalers":
			t.Errorf("asked for %s", r.URL)
			w.WriteHeader(http.StatusNotFound)
		case q.Get("watch") == "":
			encode(t, w, "HorizontalPodAutoscalerList", &autoscalingv2.HorizontalPodAutoscalerList{
				ListMeta: metav1.ListMeta{ResourceVersion: "1"},
				Items:    []autoscalingv2.HorizontalPodAutoscaler{*scaler("a", "threads")},
			})
		case q.Get("sendInitialEvents") != "":
			w.WriteHeader(http.StatusUnprocessableEntity)
			encode(t, w, "Status", &metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity})
		default:
			added := scaler("b", "memory_rss_bytes")
			added.APIVersion, added.Kind = "autoscaling/v2", "HorizontalPodAutoscaler"
			if err := json.NewEncoder(w).Encode(map[string]any{"type": "ADDED", "object": added}); err != nil {
				t.Error(err)
			}
			if f, ok := w.(http.Flusher); ok {
				f.Flush()
			}
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	if err != nil {
		t.Fatal(err)
	}
	sets := make(chan input.Set, 10)
	d, err := NewDemand(nil, func(s input.Set) { sets <- s })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { WatchHPAs(ctx, client.AutoscalingV2().RESTClient(), d) })
	running.Go(func() {
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	want := input.SetOf(input.Threads, input.MemoryRSS)
	for set := range sets {
		if set == want {
			break
		}
	}
	cancel()
	running.Wait()
}

func encode(t *testing.T, w http.ResponseWriter, kind string, object any) {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	version := "autoscaling/v2"
	if kind == "Status" {
		version = "v1"
	}
	typed := strings.Replace(string(text), "{", `{"apiVersion":"`+version+`","kind":"`+kind+`",`, 1)
	if _, err := w.Write([]byte(typed)); err != nil {
		t.Error(err)
	}
}
