// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
)

// request asks handler until the benchmark ends, with a recorder that keeps its
// room.
func request(b *testing.B, handler http.Handler, path, accept string) {
	b.Helper()
	body := &bytes.Buffer{}
	b.ReportAllocs()
	for b.Loop() {
		body.Reset()
		recorder := httptest.NewRecorder()
		recorder.Body = body
		r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		r.Header.Set("Accept", accept)
		r.SetBasicAuth("hpa", "")
		handler.ServeHTTP(recorder, r)
		if recorder.Code != http.StatusOK {
			b.Fatal(recorder.Body)
		}
	}
	b.ReportMetric(float64(body.Len()), "bytes/answer")
}

// BenchmarkRequest is what an HPA's request costs through the whole chain of
// handlers, authentication and authorization included: for 1,000 pods, and for
// one, which is nearly what the chain itself costs.
func BenchmarkRequest(b *testing.B) {
	for _, size := range []struct {
		name string
		pods int
	}{{"1000", 1000}, {"1", 1}} {
		f := newFake()
		f.custom = manyPods(size.pods)
		handler := newServer(b, f, f, &gate{silent: true}).Handler
		const path = customV1beta2 + "/namespaces/shop/pods/%2A/requests_per_second?labelSelector=app%3Dweb"
		for name, accept := range map[string]string{"protobuf": asHPA, "JSON": asJSON} {
			b.Run(size.name+"/"+name, func(b *testing.B) { request(b, handler, path, accept) })
		}
	}
}

// BenchmarkEncode is the encoding of 1,000 pods alone, from its parts and as typed
// objects.
func BenchmarkEncode(b *testing.B) {
	r := newReference(b)
	version := customVersions()[0]
	a := &Answer{}
	if err := manyPods(1000)(b.Context(), &Query{Namespace: "shop"}, a); err != nil {
		b.Fatal(err)
	}
	list := &customList{version: version, metric: "requests_per_second", answer: a}
	for _, mediaType := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
		info, _ := runtime.SerializerInfoForMediaType(r.codecs.SupportedMediaTypes(), mediaType)
		encoder := r.codecs.EncoderForVersion(info.Serializer, version)
		for name, object := range map[string]func() runtime.Object{
			"parts": func() runtime.Object { return &document{content: list, writer: r.writer} },
			"typed": list.typed,
		} {
			b.Run(info.MediaTypeSubType+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := encoder.Encode(object(), io.Discard); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkDiscovery is with 100,000 metrics of each kind: the document that every
// client fetches, that of a version, and what a request pays for knowing that
// nothing has changed or for a change.
func BenchmarkDiscovery(b *testing.B) {
	infos, names := crowd(100_000)
	f := newFake()
	f.infos = func() []MetricInfo { return infos }
	f.names = func() []string { return names }
	handler := newServer(b, f, f, &gate{silent: true}).Handler
	b.Run("aggregated", func(b *testing.B) { request(b, handler, "/apis", asAggregated) })
	b.Run("version", func(b *testing.B) { request(b, handler, customV1beta2, asJSON) })
	l := &listed[MetricInfo]{metrics: f.infos, list: listCustom, publish: func([]entry) {}}
	b.Run("unchanged", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.get()
		}
	})
	b.Run("changed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			aggregateCustom(listCustom(infos).entries, customBytes)
		}
	})
}
