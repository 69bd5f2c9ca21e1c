// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// streams are the library's serializer for events of a watch and the one that prunes.
func streams(t testing.TB, fields Fields) (plain, pruning runtime.Serializer) {
	t.Helper()
	for i, info := range scheme.Codecs.SupportedMediaTypes() {
		if info.MediaType == runtime.ContentTypeProtobuf {
			negotiator := pruningNegotiator{scheme.Codecs.WithoutConversion(), keptFields(fields)}
			return info.StreamSerializer.Serializer, negotiator.SupportedMediaTypes()[i].StreamSerializer.Serializer
		}
	}
	t.Fatal("the scheme has no serializer for protobuf")
	return nil, nil
}

// event is an event of a watch as the API server sends it, without its frame.
func event(t testing.TB, kind watch.EventType, object []byte) []byte {
	t.Helper()
	var buffer bytes.Buffer
	plain, _ := streams(t, allFields())
	must(t, plain.Encode(&metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Raw: object}}, &buffer))
	return buffer.Bytes()
}

// checkEvent holds what becomes of data when pruned against what does when not: the
// same error, or the same type and an object that is the same once it is pruned.
func checkEvent(t testing.TB, data []byte) {
	t.Helper()
	for _, fields := range []Fields{allFields(), fewFields()} {
		plain, pruning := streams(t, fields)
		var want, got metav1.WatchEvent
		_, _, wantErr := plain.Decode(data, nil, &want)
		_, _, gotErr := pruning.Decode(data, nil, &got)
		if (wantErr == nil) != (gotErr == nil) || wantErr != nil && wantErr.Error() != gotErr.Error() {
			t.Fatalf("error %v, want %v", gotErr, wantErr)
		}
		if wantErr != nil {
			continue
		}
		_, objects := codecsFor(t, fields)
		wantObject, _, wantErr := objects.Decode(want.Object.Raw, nil, nil)
		gotObject, _, gotErr := objects.Decode(got.Object.Raw, nil, nil)
		if want.Type != got.Type || (wantErr == nil) != (gotErr == nil) || !reflect.DeepEqual(wantObject, gotObject) {
			t.Fatalf("%s %+v %v\nwant %s %+v %v", got.Type, gotObject, gotErr, want.Type, wantObject, wantErr)
		}
	}
}

func TestEventsArePruned(t *testing.T) {
	for seed := range uint64(100) {
		fill := filler(seed)
		var pod corev1.Pod
		var node corev1.Node
		var status metav1.Status
		fill.Fill(&pod)
		fill.Fill(&node)
		fill.Fill(&status)
		for i, object := range []runtime.Object{&pod, &node, &status} {
			kind := []watch.EventType{watch.Added, watch.Modified, watch.Deleted, watch.Bookmark}[(int(seed)+i)%4]
			checkEvent(t, event(t, kind, encoded(t, object)))
		}
	}
	for _, data := range []string{"", "\x0a\x05ADDED", "\x12\x00", "\x12\x02\x0a\x00", "\x12\x03\x0a\x01x", "\x12\x02\x12\x00", "\x08\x01", "\xff"} {
		checkEvent(t, []byte(data))
	}
}

func TestAPrunedEventIsSmall(t *testing.T) {
	pod := crowdPod(1, false)
	pod.Annotations = map[string]string{"long": strings.Repeat("x", 5000)}
	_, pruning := streams(t, fewFields())
	var got metav1.WatchEvent
	_, _, err := pruning.Decode(event(t, watch.Added, encoded(t, pod)), nil, &got)
	must(t, err)
	if n := len(got.Object.Raw); n == 0 || n > 1000 {
		t.Errorf("a pruned pod is %d bytes", n)
	}
}

func FuzzPruneEvent(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		fill := filler(r.Uint64())
		var pod corev1.Pod
		fill.Fill(&pod)
		f.Add(event(f, watch.Added, encoded(f, &pod)))
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkEvent(t, data) })
}

// BenchmarkDecodeEvent is one event of a watch in both steps, with what is not kept
// left out before the second, and before the first.
func BenchmarkDecodeEvent(b *testing.B) {
	data := event(b, watch.Modified, encoded(b, realPod()))
	plain, pruning := streams(b, fewFields())
	_, objects := codecsFor(b, fewFields())
	for _, way := range []struct {
		name string
		runtime.Serializer
	}{{"second", plain}, {"first", pruning}} {
		b.Run(way.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				var event metav1.WatchEvent
				_, _, err := way.Decode(data, nil, &event)
				must(b, err)
				_, _, err = objects.Decode(event.Object.Raw, nil, nil)
				must(b, err)
			}
		})
	}
}
