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
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/randfill"
)

const keptAnnotation = "metrics-apiserver.io/kept"

// allFields is all that can be kept, and fewFields the least.
func allFields() Fields {
	return Fields{NodeAnnotations: []string{keptAnnotation}, PodOwners: true, PodResources: true}
}

func fewFields() Fields { return Fields{NodeAnnotations: []string{keptAnnotation}} }

// codecs are the library's serializer for protobuf and the one that prunes.
func codecs(t testing.TB) (plain, pruning runtime.Serializer) {
	t.Helper()
	return codecsFor(t, allFields())
}

// codecsFor is codecs that keep no more than fields.
func codecsFor(t testing.TB, fields Fields) (plain, pruning runtime.Serializer) {
	t.Helper()
	for i, info := range scheme.Codecs.SupportedMediaTypes() {
		if info.MediaType == runtime.ContentTypeProtobuf {
			negotiator := pruningNegotiator{scheme.Codecs.WithoutConversion(), keptFields(fields)}
			return info.Serializer, negotiator.SupportedMediaTypes()[i].Serializer
		}
	}
	t.Fatal("the scheme has no serializer for protobuf")
	return nil, nil
}

// encoded is an object as the API server sends it.
func encoded(t testing.TB, object runtime.Object) []byte {
	t.Helper()
	var buffer bytes.Buffer
	must(t, scheme.Codecs.EncoderForVersion(first(codecs(t)), corev1.SchemeGroupVersion).Encode(object, &buffer))
	return buffer.Bytes()
}

func first[A, B any](a A, _ B) A { return a }

// kept is what reflector and store take of an object.
type kept struct {
	name, namespace, uid, version, end string
	object                             any
}

func keptOf(t testing.TB, object runtime.Object) kept {
	t.Helper()
	var meta *metav1.ObjectMeta
	var trimmed any
	var err error
	switch o := object.(type) {
	case *corev1.Pod:
		meta = &o.ObjectMeta
		trimmed, err = trimPod(o)
	case *corev1.Node:
		meta = &o.ObjectMeta
		trimmed, err = NewNodes(nil, keptAnnotation).trim(o)
	default:
		t.Fatalf("unexpected type %T", object)
	}
	must(t, err)
	return kept{meta.Name, meta.Namespace, string(meta.UID), meta.ResourceVersion, meta.Annotations[metav1.InitialEventsAnnotationKey], trimmed}
}

// without is what is kept of a pod where fields say no more; others stay as they are.
func (k kept) without(fields Fields) kept {
	pod, ok := k.object.(*Pod)
	if !ok {
		return k
	}
	if !fields.PodOwners {
		pod.Owner = nil
	}
	if !fields.PodResources {
		pod.Restarts, pod.Containers.Resources = 0, Resources{}
	}
	return k
}

// check holds what is kept of data when pruned against what is kept when not.
func check(t testing.TB, data []byte) {
	t.Helper()
	for _, fields := range []Fields{allFields(), fewFields()} {
		checkFields(t, data, fields)
	}
}

func checkFields(t testing.TB, data []byte, fields Fields) {
	t.Helper()
	plain, pruning := codecsFor(t, fields)
	whole, _, err := plain.Decode(data, nil, nil)
	pruned, _, prunedErr := pruning.Decode(data, nil, nil)
	if err != nil {
		return // What pruned is then does not matter; it did not panic.
	}
	must(t, prunedErr)
	if reflect.TypeOf(whole) != reflect.TypeOf(pruned) {
		t.Fatalf("pruned is %T, want %T", pruned, whole)
	}
	var wholes, pruneds []runtime.Object
	switch list := whole.(type) {
	case *corev1.PodList:
		for i := range list.Items {
			wholes, pruneds = append(wholes, &list.Items[i]), append(pruneds, &pruned.(*corev1.PodList).Items[i])
		}
		if !apiequality.Semantic.DeepEqual(list.ListMeta, pruned.(*corev1.PodList).ListMeta) {
			t.Fatalf("pruned list has the metadata %+v, want %+v", pruned.(*corev1.PodList).ListMeta, list.ListMeta)
		}
	case *corev1.NodeList:
		for i := range list.Items {
			wholes, pruneds = append(wholes, &list.Items[i]), append(pruneds, &pruned.(*corev1.NodeList).Items[i])
		}
	case *corev1.Pod, *corev1.Node:
		wholes, pruneds = []runtime.Object{whole}, []runtime.Object{pruned}
	default:
		if !apiequality.Semantic.DeepEqual(whole, pruned) {
			t.Fatalf("an object of no kind that is pruned is %+v, want %+v", pruned, whole)
		}
	}
	for i := range wholes {
		if want, got := keptOf(t, wholes[i]).without(fields), keptOf(t, pruneds[i]); !reflect.DeepEqual(want, got) {
			t.Fatalf("pruned is\n%+v, want\n%+v", got, want)
		}
	}
}

// filler fills objects with all that they can hold.
func filler(seed uint64) *randfill.Filler {
	return randfill.NewWithSeed(int64(seed)).NilChance(0.2).NumElements(0, 3).MaxDepth(12).Funcs(
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewMilliQuantity(c.Int63n(1e6), resource.DecimalSI)
		},
		func(m *metav1.Time, c randfill.Continue) { *m = metav1.Unix(c.Int63n(1e9), 0) },
		func(m *metav1.MicroTime, _ randfill.Continue) { *m = metav1.MicroTime{} },
		func(f *metav1.FieldsV1, _ randfill.Continue) { *f = *metav1.NewFieldsV1(`{"f:metadata":{}}`) },
		func(r *runtime.RawExtension, _ randfill.Continue) { *r = runtime.RawExtension{} },
		func(p *corev1.ContainerRestartPolicy, c randfill.Continue) {
			*p = []corev1.ContainerRestartPolicy{corev1.ContainerRestartPolicyAlways, ""}[c.Intn(2)]
		},
	)
}

func TestWhatIsKeptIsTheSameWhenPruned(t *testing.T) {
	for seed := range uint64(300) {
		fill := filler(seed)
		var pod corev1.Pod
		var node corev1.Node
		var pods corev1.PodList
		var nodes corev1.NodeList
		fill.Fill(&pod)
		fill.Fill(&node)
		fill.Fill(&pods)
		fill.Fill(&nodes)
		if seed%2 == 0 {
			pod.Annotations = map[string]string{"other": strings.Repeat("long ", 100), metav1.InitialEventsAnnotationKey: "true"}
			node.Annotations = map[string]string{"other": "value", keptAnnotation: "kept"}
		}
		for i := range pod.Status.InitContainerStatuses { // else none is a sidecar's
			if i < len(pod.Spec.InitContainers) {
				pod.Status.InitContainerStatuses[i].Name = pod.Spec.InitContainers[i].Name
			}
		}
		for _, object := range []runtime.Object{&pod, &node, &pods, &nodes} {
			check(t, encoded(t, object))
		}
	}
}

func TestOtherKindsAreNotPruned(t *testing.T) {
	check(t, encoded(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "map"}, Data: map[string]string{"key": "value"}}))
	plain, pruning := codecs(t)
	for _, data := range []string{"", "k8s\x00", "{}", "k8s\x00\xff", "k8s\x00\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x03\x0a\xff\xff"} {
		_, _, want := plain.Decode([]byte(data), nil, nil)
		_, _, got := pruning.Decode([]byte(data), nil, nil)
		if want == nil || got == nil || want.Error() != got.Error() {
			t.Errorf("%q is refused with %v, want %v", data, got, want)
		}
	}
}

func TestAPrunedPodHasNothingElse(t *testing.T) {
	_, pruning := codecsFor(t, fewFields())
	pod := crowdPod(1, false)
	pod.Spec.Volumes = []corev1.Volume{{Name: "data"}}
	pod.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}
	pod.Status.PodIP = "192.0.2.1"
	object, _, err := pruning.Decode(encoded(t, pod), nil, nil)
	must(t, err)
	got := object.(*corev1.Pod)
	if got.Spec.Volumes != nil || got.ManagedFields != nil || got.Status.PodIP != "" || got.Spec.Containers != nil {
		t.Errorf("a pod still has %+v after it was pruned", got)
	}
}

func FuzzPrune(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		fill := filler(r.Uint64())
		var pod corev1.Pod
		var nodes corev1.NodeList
		fill.Fill(&pod)
		fill.Fill(&nodes)
		f.Add(encoded(f, &pod))
		f.Add(encoded(f, &nodes))
	}
	f.Fuzz(func(t *testing.T, data []byte) { check(t, data) })
}

// BenchmarkDecodePod is what one event of a watch costs, with the pod whole, pruned to
// all that can be kept, and to what is without custom metrics. The pod is of the size of a real one, 5 KB.
func BenchmarkDecodePod(b *testing.B) {
	data := encoded(b, realPod())
	plain, pruning := codecs(b)
	_, few := codecsFor(b, fewFields())
	for _, way := range []struct {
		name string
		runtime.Serializer
	}{{"whole", plain}, {"pruned", pruning}, {"few", few}} {
		b.Run(way.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := way.Decode(data, nil, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// realPod is a pod of the size of a real one.
func realPod() *corev1.Pod {
	pod := crowdPod(1, false)
	for range 3 {
		pod.ManagedFields = append(pod.ManagedFields, metav1.ManagedFieldsEntry{
			Manager: "kube-controller-manager", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", FieldsType: "FieldsV1",
			FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{` + strings.Repeat(`"f:labels":{".":{},"f:app":{}},`, 30) + `"f:x":{}}}`),
		})
	}
	for i := range pod.Spec.Containers {
		for range 15 {
			pod.Spec.Containers[i].Env = append(pod.Spec.Containers[i].Env, corev1.EnvVar{Name: "VARIABLE", Value: "some value of it"})
			pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: "Ready", Status: "True"})
		}
	}
	return pod
}
