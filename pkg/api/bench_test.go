// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

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

// sameUsage says the same of every pod and takes next to no time.
type sameUsage struct{ pod storage.PodUsage }

func (u sameUsage) Pod(dst []storage.ContainerUsage, _ storage.PodQuery, _ storage.Millis) (storage.PodUsage, storage.Absence) {
	usage := u.pod
	usage.Containers = append(dst, u.pod.Containers...)
	return usage, storage.Present
}

func (sameUsage) Node(string, storage.Millis) (storage.NodeUsage, storage.Absence) {
	return storage.NodeUsage{}, storage.NotScraped
}

// quick replaces the usage of a source, so that not its fake is measured, and
// counts what is served, as the program does.
func quick(source *Source) *Source {
	source.Metrics = NewMetrics(componentmetrics.NewKubeRegistry().MustRegister)
	source.Usage = sameUsage{pod: storage.PodUsage{Time: sampled, Window: 15_250, Containers: []storage.ContainerUsage{
		{Name: "server", CPU: 123_456_789, Memory: 123 << 20, HasSwap: true},
		{Name: "sidecar", CPU: 1_234_567, Memory: 12_345 << 12, HasSwap: true},
	}}}
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
		source := quick(newCrowd(b, request.pods, request.namespaces))
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
						if err := encoder.Encode(list, io.Discard); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// BenchmarkHPARequest is the request of an HPA through the whole handler chain:
// by the fast path, by the typed encoder, and against one that has nothing to
// find, which is what the chain itself costs.
func BenchmarkHPARequest(b *testing.B) {
	source := quick(newCrowd(b, 2_000, 2))
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
