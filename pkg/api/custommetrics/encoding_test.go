// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta1"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// reference compares what we write with what the encoders of a generic API server
// do.
type reference struct {
	codecs serializer.CodecFactory
	writer *writer
}

func newReference(t testing.TB) *reference {
	t.Helper()
	codecs, err := newCodecs()
	if err != nil {
		t.Fatal(err)
	}
	return &reference{codecs: codecs, writer: newWriter(codecs, append(append(customVersions(), externalVersions()...), schema.GroupVersion{}))}
}

// check checks that c is written as its typed object is, by the encoders for which
// there is a fast path, through the same door.
func (r *reference) check(t *testing.T, version schema.GroupVersion, c content) {
	t.Helper()
	for _, mediaType := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
		info, _ := runtime.SerializerInfoForMediaType(r.codecs.SupportedMediaTypes(), mediaType)
		encoder := r.codecs.EncoderForVersion(info.Serializer, version)
		var got, want bytes.Buffer
		if err := encoder.Encode(&document{content: c, writer: r.writer}, &got); err != nil {
			t.Fatal(err)
		}
		if err := encoder.Encode(c.typed(), &want); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatalf("%s %s:\n%q\nwant:\n%q", info.MediaType, version, clip(got.Bytes(), want.Bytes()), clip(want.Bytes(), got.Bytes()))
		}
	}
}

// custom checks an answer in both versions.
func (r *reference) custom(t *testing.T, metric string, selector *metav1.LabelSelector, a *Answer) {
	t.Helper()
	for _, version := range customVersions() {
		r.check(t, version, &customList{version: version, metric: metric, selector: selector, answer: a})
	}
}

func (r *reference) external(t *testing.T, metric string, values []ExternalValue) {
	t.Helper()
	version := externalv1beta1.SchemeGroupVersion
	r.check(t, version, &externalList{version: version, metric: metric, values: values})
}

// clip is b from a little before where it differs from other.
func clip(b, other []byte) []byte {
	i := 0
	for i < min(len(b), len(other)) && b[i] == other[i] {
		i++
	}
	return b[max(0, i-80):min(len(b), i+160)]
}

// TestFastPath checks that the encodings for which there is a fast path take it,
// whether or not both paths write the same.
func TestFastPath(t *testing.T) {
	r := newReference(t)
	list := &customList{version: v1beta2.SchemeGroupVersion, answer: &Answer{Kind: "Pod", APIVersion: "v1"}}
	typed := func(runtime.Object, io.Writer) error {
		t.Error("the typed encoder is asked")
		return nil
	}
	for _, version := range []schema.GroupVersion{list.version, {}} {
		for _, mediaType := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
			info, _ := runtime.SerializerInfoForMediaType(r.codecs.SupportedMediaTypes(), mediaType)
			id := r.codecs.EncoderForVersion(info.Serializer, version).Identifier()
			if err := (&document{content: list, writer: r.writer}).CacheEncode(id, typed, io.Discard); err != nil {
				t.Error(err)
			}
		}
	}
}

// moment is at, if it is one that RFC 3339 has and that is not the zero time.
func moment(at int64) int64 {
	if y := storage.Millis(at).Time().UTC().Year(); at != 0 && (y <= 1 || y > 9999) {
		return int64(sampled)
	}
	return at
}

func FuzzCustomList(f *testing.F) {
	r := newReference(f)
	f.Add("Pod", "v1", "requests", "", "shop", "web-0", int64(sampled), int64(15_250), int64(1500))
	f.Add("Namespace", "v1", "a:b", "code in (200,404),!x,y!=z", "", "shop", int64(0), int64(0), int64(0))
	f.Add("", "", "", "a=b", "", "", int64(999), int64(1), int64(math.MinInt64))
	f.Add("Déployment", "apps/v1", "\"<&>\x00\xff\u2028", "x>1", "\\", "\x7f", int64(-1), int64(-1), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, kind, apiVersion, metric, selector, namespace, name string, at, window, milli int64) {
		at = moment(at)
		var typed *metav1.LabelSelector
		if s, err := labels.Parse(selector); err == nil {
			typed = selectorOf(s)
		}
		v := Value{Namespace: namespace, Name: name, Time: storage.Millis(at), Window: storage.Millis(window), Milli: milli}
		second := v
		second.Time, second.Name = v.Time/2, v.Name+"2"
		r.custom(t, metric, typed, &Answer{Kind: kind, APIVersion: apiVersion, Values: []Value{v, v, second}})
	})
}

func FuzzExternalList(f *testing.F) {
	r := newReference(f)
	f.Add("queue", "app", "shop", "queue", "a", int64(sampled), int64(15_250), int64(1500))
	f.Add("", "", "", "", "", int64(0), int64(0), int64(0))
	f.Add("\xff", "b", "\"", "a", "\u2029", int64(-1), int64(499), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, metric, key1, value1, key2, value2 string, at, window, milli int64) {
		at = moment(at)
		v := ExternalValue{Labels: map[string]string{key1: value1, key2: value2}, Time: storage.Millis(at), Window: storage.Millis(window), Milli: milli}
		none, empty := v, v
		none.Labels, empty.Labels = nil, map[string]string{}
		r.external(t, metric, []ExternalValue{v, none, empty, v})
	})
}

// TestLists holds lists of all sizes, with chunks of their own, and lengths whose
// varints have one byte and more.
func TestLists(t *testing.T) {
	r := newReference(t)
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 100, 1200} {
		a := &Answer{Kind: "Pod", APIVersion: "v1"}
		var external []ExternalValue
		for i := range n {
			v := Value{
				Namespace: strings.Repeat("n", random.IntN(140)), Name: strings.Repeat("w", random.IntN(260)),
				Time: sampled + storage.Millis(random.IntN(5000)), Window: storage.Millis(random.IntN(200_000)), Milli: random.Int64() >> random.IntN(64),
			}
			a.Values = append(a.Values, v)
			set := map[string]string{}
			for range i % 4 {
				set[strings.Repeat("k", random.IntN(200))] = strings.Repeat("v", random.IntN(300))
			}
			external = append(external, ExternalValue{Labels: set, Time: v.Time, Window: v.Window, Milli: -v.Milli})
		}
		r.custom(t, "requests_per_second", nil, a)
		r.custom(t, strings.Repeat("m", 300), &metav1.LabelSelector{MatchLabels: map[string]string{"b": "1", "a": strings.Repeat("2", 300)}}, a)
		r.external(t, "queue", external)
		r.external(t, strings.Repeat("q", 300), external)
	}
}

// TestGolden holds what we write against the bytes that k8s.io/metrics keeps of
// its types, so that a reference that changed with the library would show.
func TestGolden(t *testing.T) {
	external := &externalList{version: externalv1beta1.SchemeGroupVersion, metric: "metricNameValue", values: []ExternalValue{{
		Labels: map[string]string{"metricLabelsKey": "metricLabelsValue"}, Time: goldenTime, Window: 4000,
	}}}
	wantItem(t, external, externalListKind, external.version.String(), goldenExternal)

	selector := &metav1.LabelSelector{
		MatchLabels:      map[string]string{"matchLabelsKey": "matchLabelsValue"},
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "keyValue", Operator: "operatorValue", Values: []string{"valuesValue"}}},
	}
	a := &Answer{Kind: "kindValue", APIVersion: "apiVersionValue", Values: []Value{{
		Namespace: "namespaceValue", Name: "nameValue", Time: goldenTime, Window: 4000,
	}}}
	// Of objects, we never say UID, resource version and field path.
	without := func(item string) string {
		described := item[2 : 2+item[1]] // a tag and a length lie before it
		rest := item[len(described)+2:]
		for _, field := range []string{"\x22\x08uidValue", "\x32\x14resourceVersionValue", "\x3a\x0efieldPathValue"} {
			if strings.Count(described, field) != 1 {
				t.Fatalf("%q is not in %q", field, described)
			}
			described = strings.Replace(described, field, field[:1]+"\x00", 1)
		}
		return string(wire.AppendField(nil, describedTag, described)) + rest
	}
	old := &customList{version: v1beta1.SchemeGroupVersion, metric: "metricNameValue", selector: selector, answer: a}
	wantItem(t, old, customListKind, old.version.String(), without(goldenV1beta1))
	list := &customList{version: v1beta2.SchemeGroupVersion, metric: "nameValue", selector: selector, answer: a}
	wantItem(t, list, customListKind, list.version.String(), without(goldenV1beta2))
}

// What k8s.io/metrics v0.37 keeps of its types in protobuf, in
// pkg/apis/testdata/HEAD, without the envelope. All fields of an object are set
// in them, to their names.
const (
	goldenExternal = "\x0a\x0fmetricNameValue\x12$\x0a\x0fmetricLabelsKey\x12\x11metricLabe" +
		"lsValue\x1a\x08\x08\xcd\xfb\xc8\xf0\x03\x10\x00 \x04*\x03\x0a\x010"
	goldenV1beta1 = "\x0ag\x0a\x09kindValue\x12\x0enamespaceValue\x1a\x09nameValue\x22\x08uidVal" +
		"ue*\x0fapiVersionValue2\x14resourceVersionValue:\x0efield" +
		"PathValue\x12\x0fmetricNameValue\x1a\x08\x08\xcd\xfb\xc8\xf0\x03\x10\x00 \x04*\x03\x0a\x0102L\x0a\x22\x0a" +
		"\x0ematchLabelsKey\x12\x10matchLabelsValue\x12&\x0a\x08keyValue\x12\x0do" +
		"peratorValue\x1a\x0bvaluesValue"
	goldenV1beta2 = "\x0ag\x0a\x09kindValue\x12\x0enamespaceValue\x1a\x09nameValue\x22\x08uidVal" +
		"ue*\x0fapiVersionValue2\x14resourceVersionValue:\x0efield" +
		"PathValue\x12Y\x0a\x09nameValue\x12L\x0a\x22\x0a\x0ematchLabelsKey\x12\x10matc" +
		"hLabelsValue\x12&\x0a\x08keyValue\x12\x0doperatorValue\x1a\x0bvaluesV" +
		"alue\x1a\x08\x08\xcd\xfb\xc8\xf0\x03\x10\x00 \x04*\x03\x0a\x010"

	// goldenTime is the time in them: 2003-01-01T01:01:01Z.
	goldenTime storage.Millis = 1041382861000
)

// wantItem checks that list is written in protobuf as a list of the one item.
func wantItem(t *testing.T, list content, kind, version, item string) {
	t.Helper()
	var got bytes.Buffer
	if err := new(wire.Writer).Stream(&got, func(out *wire.Chunks) { list.encode(out, wire.Protobuf) }); err != nil {
		t.Fatal(err)
	}
	want := appendEmptyList(nil, kind, version, emptyListSize()+wire.FieldSize(len(item)))
	want = append(wire.AppendField(want, listItemTag, item), wire.EnvelopeEnd...)
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%q\nwant:\n%q", clip(got.Bytes(), want), clip(want, got.Bytes()))
	}
}
