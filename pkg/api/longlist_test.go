// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestLongListEqualsTyped holds lists of several runs, which are joined by several
// goroutines and encoded ahead, against the typed encoder: of usage that is posted,
// of such that is not, and of both.
func TestLongListEqualsTyped(t *testing.T) {
	source := newCrowd(t, 2*runSize+100, 20)
	ready := func() error { return nil }
	fast := newServer(t, source, ready)
	plain, served := newServerAnd(t, source, ready)
	clear(served.encodings)
	wantSame := func(t *testing.T) {
		for _, path := range []string{"v1/pods", "v1beta1/pods", "v1beta1/pods?labelSelector=app.kubernetes.io/part-of%3Dsystem-3"} {
			for _, accept := range []string{asJSON, asProtobuf} {
				for _, zip := range []string{"", "gzip"} {
					headers := []string{"Accept", accept, "Accept-Encoding", zip}
					got, want := ask(t, fast, path, headers...), ask(t, plain, path, headers...)
					if zip != "" && want.Header().Get("Content-Encoding") != "" {
						got, want = unzipped(t, got), unzipped(t, want)
					}
					if got.Code != http.StatusOK || got.Body.Len() < 100_000 || !bytes.Equal(got.Body.Bytes(), want.Body.Bytes()) {
						t.Errorf("%s as %s: %d and %d bytes, want %d", path, accept, got.Code, got.Body.Len(), want.Body.Len())
					}
				}
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		wantSame(t)
		source.Usage, _ = committed(t, source)
		wantPosted(t, source)
		wantSame(t)
	})
}

// wantPosted wants some pods whose usage is posted, some whose is not, and some
// without usage.
func wantPosted(t *testing.T, source *Source) {
	t.Helper()
	posted, others, absent := 0, 0, 0
	for pod := range source.Pods.All("") {
		query := pod.Query()
		_, absence := source.Usage.Pod(nil, query, now())
		switch {
		case source.Usage.Posted(&storage.Posted{}, &query, now()):
			posted++
		case absence == storage.Present:
			others++
		default:
			absent++
		}
	}
	if posted < 1000 || others < 100 || absent < 100 {
		t.Errorf("%d pods with a post, %d without, and %d without usage", posted, others, absent)
	}
}

// TestListIsASnapshot: what is committed, and what becomes of pods, after List
// has returned is not in the list, however late it is encoded.
func TestListIsASnapshot(t *testing.T) {
	const count = runSize + 100
	source := newCrowd(t, count, 7)
	store, batches := committed(t, source)
	source.Usage = store
	versions := []schema.GroupVersion{metricsv1.SchemeGroupVersion, metricsv1beta1.SchemeGroupVersion}
	pods := &podStorage{source: source, served: newServed(Codecs, versions)}
	for _, mediaType := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
		info, _ := runtime.SerializerInfoForMediaType(Codecs.SupportedMediaTypes(), mediaType)
		encoder := Codecs.EncoderForVersion(info.Serializer, metricsv1.SchemeGroupVersion)
		list, err := pods.List(t.Context(), &metainternalversion.ListOptions{LabelSelector: labels.Everything()})
		if err != nil {
			t.Fatal(err)
		}
		var before, after, during bytes.Buffer
		if err := encoder.Encode(list, &before); err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		group.Go(func() {
			for range 3 {
				commitAll(t, store, batches)
			}
			if err := source.Pods.Replace([]any{pod("shop", "new", "node", nil, "app")}, ""); err != nil {
				t.Error(err)
			}
		})
		if err := encoder.Encode(list, &during); err != nil {
			t.Fatal(err)
		}
		group.Wait()
		if err := encoder.Encode(list, &after); err != nil {
			t.Fatal(err)
		}
		if before.Len() < 100*count || !bytes.Equal(before.Bytes(), during.Bytes()) || !bytes.Equal(before.Bytes(), after.Bytes()) {
			t.Errorf("%s: the list of %d bytes became another", mediaType, before.Len())
		}
		source = newCrowd(t, count, 7)
		store, batches = committed(t, source)
		source.Usage, pods.source = store, source
	}
}

// committed is a store that has two answers of each node of source, which lists all but
// a few of its containers, and the newest batch of each.
func committed(t *testing.T, source *Source) (*storage.Store, []*storage.Batch) {
	t.Helper()
	store, err := storage.New(storage.Options{FindPod: source.Pods.Find})
	if err != nil {
		t.Fatal(err)
	}
	var batches []*storage.Batch
	for node, keys := range keysByNode(source) {
		layout, _ := storage.NewLayout(keys[len(keys)/10:])
		batches = append(batches, &storage.Batch{Node: node, Received: now() - 60_000, Layout: layout, Samples: make([]storage.Sample, len(layout.Containers))})
	}
	for range 2 {
		commitAll(t, store, batches)
	}
	return store, batches
}

// commitAll commits one more answer of each node, 15 seconds after the last. Some
// containers report swap, and some have it in use.
func commitAll(t *testing.T, store *storage.Store, batches []*storage.Batch) {
	t.Helper()
	for _, b := range batches {
		b.Received += 15_000
		for row := range b.Samples {
			sample := &b.Samples[row]
			*sample = storage.Sample{
				Time: b.Received - storage.Millis(row), CPU: sample.CPU + uint64(row+1)*1_000_000,
				Memory: sample.Memory + 4096, Has: storage.HasCPU | storage.HasMemory,
			}
			switch row % 16 {
			case 3:
				sample.Has |= storage.HasSwap
			case 8:
				sample.Has, sample.Swap = sample.Has|storage.HasSwap, uint64(row)<<12
			}
		}
		if _, err := store.Commit(b); err != nil {
			t.Error(fmt.Errorf("commit: %w", err))
		}
	}
}
