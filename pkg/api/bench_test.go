// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	componentmetrics "k8s.io/component-base/metrics"
	"k8s.io/metrics/pkg/apis/metrics"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// scraped puts a real store, with two scrapes of every pod in it, in the place of
// the usage that source has, and counts what is served, as the program does.
func scraped(b *testing.B, source *Source) *Source {
	b.Helper()
	store, err := storage.New(storage.Options{
		Resolution: 24 * time.Hour, // nothing is stale before the benchmark's end
		FindPod:    source.Pods.Find,
	})
	if err != nil {
		b.Fatal(err)
	}
	began := now() - storage.MillisIn(time.Hour)
	for node, keys := range keysByNode(source) {
		layout, _ := storage.NewLayout(keys)
		samples := make([]storage.Sample, len(keys))
		for _, age := range []time.Duration{20 * time.Second, 5 * time.Second} {
			when := now() - storage.MillisIn(age)
			for i := range samples {
				samples[i] = storage.Sample{
					Start: began, Time: when - storage.Millis(i*100),
					CPU: samples[i].CPU + 15_000_000_000/uint64(i+7), Memory: uint64(i+1) * 12_345 << 12,
					Has: storage.HasCPU | storage.HasMemory | storage.HasSwap,
				}
			}
			if _, err := store.Commit(&storage.Batch{Node: node, Sent: when, Received: when, Layout: layout, Samples: samples}); err != nil {
				b.Fatal(err)
			}
		}
	}
	source.Usage = store
	source.Metrics = NewMetrics(componentmetrics.NewKubeRegistry().MustRegister)
	return source
}

// BenchmarkPodList lists and encodes, by the fast path and by the typed encoder
// that is its fallback: all of 30,000 pods as the VPA does, and as the HPA does
// 10 pods of 1,000 in a namespace.
func BenchmarkPodList(b *testing.B) {
	for _, request := range []struct {
		name             string
		pods, namespaces int
		namespace, label string
	}{
		{name: "all", pods: 30_000, namespaces: 100},
		{name: "HPA", pods: 2_000, namespaces: 2, namespace: "namespace-1", label: "app.kubernetes.io/name=workload-101"},
	} {
		source := scraped(b, newCrowd(b, request.pods, request.namespaces))
		for _, mediaType := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
			info, _ := runtime.SerializerInfoForMediaType(Codecs.SupportedMediaTypes(), mediaType)
			encoder := Codecs.EncoderForVersion(info.Serializer, metricsv1beta1.SchemeGroupVersion)
			for _, path := range []string{"fast", "typed"} {
				b.Run(request.name+"/"+info.MediaTypeSubType+"/"+path, func(b *testing.B) {
					served := newServed(Codecs, []schema.GroupVersion{metricsv1beta1.SchemeGroupVersion})
					if path == "typed" {
						served = newServed(Codecs, nil)
					}
					pods := &podStorage{source: source, served: served}
					ctx := genericapirequest.WithNamespace(context.Background(), request.namespace)
					selector, err := labels.Parse(request.label)
					if err != nil {
						b.Fatal(err)
					}
					options := &metainternalversion.ListOptions{LabelSelector: selector}
					b.ReportAllocs()
					for b.Loop() {
						list, err := pods.List(ctx, options)
						if err != nil {
							b.Fatal(err)
						}
						if meta.LenList(list) == 0 {
							b.Fatal("an empty list")
						}
						if err := encoder.Encode(list, io.Discard); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// BenchmarkNodeList lists and encodes 1,000 nodes with ten labels, as kubectl top
// does.
func BenchmarkNodeList(b *testing.B) {
	source := newCrowd(b, 30_000, 100)
	var nodes []any
	for _, n := range source.Nodes.List() {
		set := map[string]string{"kubernetes.io/hostname": n.Name}
		for i := range 9 {
			set[fmt.Sprintf("node.example/label-%d", i)] = fmt.Sprintf("value-%d", i)
		}
		nodes = append(nodes, node(n.Name, set))
	}
	if err := source.Nodes.Replace(nodes, ""); err != nil {
		b.Fatal(err)
	}
	served := newServed(Codecs, []schema.GroupVersion{metricsv1beta1.SchemeGroupVersion})
	info, _ := runtime.SerializerInfoForMediaType(Codecs.SupportedMediaTypes(), runtime.ContentTypeJSON)
	encoder := Codecs.EncoderForVersion(info.Serializer, metricsv1beta1.SchemeGroupVersion)
	storage := &nodeStorage{source: source, served: served}
	b.ReportAllocs()
	for b.Loop() {
		list, err := storage.List(context.Background(), nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := encoder.Encode(list, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHPARequest is the request of an HPA through the whole handler chain:
// by the fast path, by the typed encoder, and against one that has nothing to
// find, which is what the chain itself costs.
func BenchmarkHPARequest(b *testing.B) {
	source := scraped(b, newCrowd(b, 2_000, 2))
	fast, _ := newServerAnd(b, source, nil)
	typed, served := newServerAnd(b, source, nil)
	clear(served.encodings)
	for _, c := range []struct {
		name, namespace string
		handler         http.Handler
	}{{"fast", "namespace-1", fast.Handler}, {"typed", "namespace-1", typed.Handler}, {"nothing", "none", fast.Handler}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				request := httptest.NewRequest(http.MethodGet, "/apis/"+metrics.GroupName+"/v1beta1/namespaces/"+c.namespace+"/pods?labelSelector=app.kubernetes.io/name%3Dworkload-101", nil)
				request.Header.Set("Accept", asProtobuf)
				recorder := httptest.NewRecorder()
				c.handler.ServeHTTP(recorder, request)
				if recorder.Code != http.StatusOK {
					b.Fatal(recorder.Body)
				}
			}
		})
	}
}
