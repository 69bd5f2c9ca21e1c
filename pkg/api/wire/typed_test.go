// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"io"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/metrics/pkg/apis/metrics"
	"k8s.io/metrics/pkg/apis/metrics/install"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// typedEncoder is the reference: the encoder of a generic API server.
func typedEncoder(t testing.TB, encoding Encoding, version string) runtime.Encoder {
	t.Helper()
	scheme := runtime.NewScheme()
	install.Install(scheme)
	codecs := serializer.NewCodecFactory(scheme)
	mediaType := map[Encoding]string{JSON: runtime.ContentTypeJSON, Protobuf: runtime.ContentTypeProtobuf}[encoding]
	info, ok := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), mediaType)
	if !ok {
		t.Fatalf("no serializer for %s", mediaType)
	}
	return codecs.EncoderForVersion(info.Serializer, schema.GroupVersion{Group: metrics.GroupName, Version: version})
}

// typedList is what list stands for.
func typedList(list *List) runtime.Object {
	created := metav1.NewTime(list.Created.Time())
	switch list.Kind {
	case NodeMetrics:
		typed := &metrics.NodeMetricsList{Items: []metrics.NodeMetrics{}}
		for item := range list.items {
			typed.Items = append(typed.Items, metrics.NodeMetrics{
				ObjectMeta: typedMeta(item, created),
				Timestamp:  metav1.NewTime(item.Time.Time()),
				Window:     metav1.Duration{Duration: item.Window.Duration()},
				Usage:      typedUsage(&item.Containers[0]),
			})
		}
		return typed
	default:
		typed := &metrics.PodMetricsList{Items: []metrics.PodMetrics{}}
		for item := range list.items {
			pod := metrics.PodMetrics{
				ObjectMeta: typedMeta(item, created),
				Timestamp:  metav1.NewTime(item.Time.Time()),
				Window:     metav1.Duration{Duration: item.Window.Duration()},
				Containers: []metrics.ContainerMetrics{},
			}
			for i := range item.Containers {
				c := &item.Containers[i]
				pod.Containers = append(pod.Containers, metrics.ContainerMetrics{Name: c.Name, Usage: typedUsage(c)})
			}
			typed.Items = append(typed.Items, pod)
		}
		return typed
	}
}

func typedMeta(item *Item, created metav1.Time) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: item.Namespace, Name: item.Name, Labels: item.Labels.Set(), CreationTimestamp: created}
}

func typedUsage(c *storage.ContainerUsage) corev1.ResourceList {
	list := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewScaledQuantity(int64(min(c.CPU, 1<<63-1)), resource.Nano),
		corev1.ResourceMemory: *resource.NewQuantity(int64(min(c.Memory, 1<<63-1)), resource.BinarySI),
	}
	if c.HasSwap {
		list["swap"] = *resource.NewQuantity(int64(min(c.Swap, 1<<63-1)), resource.BinarySI)
	}
	return list
}

// wantTyped checks that list is written as the typed encoder does, in every
// encoding and version.
func wantTyped(t *testing.T, list List) {
	t.Helper()
	for _, version := range []string{"v1", "v1beta1"} {
		for encoding, name := range map[Encoding]string{JSON: "JSON", Protobuf: "protobuf"} {
			list.Version = version
			var got, want bytes.Buffer
			if err := new(Writer).Write(&got, &list, encoding); err != nil {
				t.Fatal(err)
			}
			if err := typedEncoder(t, encoding, version).Encode(typedList(&list), &want); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Fatalf("%s %s %s:\n%q\nwant:\n%q", name, version, list.Kind, clip(got.Bytes(), want.Bytes()), clip(want.Bytes(), got.Bytes()))
			}
		}
	}
}

// clip is b from a little before where it differs from other.
func clip(b, other []byte) []byte {
	i := 0
	for i < min(len(b), len(other)) && b[i] == other[i] {
		i++
	}
	return b[max(0, i-80):min(len(b), i+160)]
}

// some is a list of items, in runs of different lengths.
func some(kind Kind, items ...Item) List {
	list := List{Kind: kind, Created: storage.MillisOf(time.Date(2026, 7, 8, 9, 10, 11, 12e6, time.UTC))}
	for size := 1; len(items) > 0; size = size*7%1000 + 1 {
		run := items[:min(size, len(items))]
		items = items[len(run):]
		list.Runs = append(list.Runs, Run{Items: func(yield func(*Item) bool) {
			for i := range run {
				if !yield(&run[i]) {
					return
				}
			}
		}})
		if len(list.Runs)%2 == 0 {
			sizer := NewSizer(kind, list.Created)
			for i := range run {
				list.Runs[len(list.Runs)-1].Size += sizer.Size(&run[i])
			}
		}
	}
	return list
}

// failing is a writer that takes a number of writes.
type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}
