// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"io"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
)

// list is what List returns: it stands for a typed list that is not made unless
// somebody needs it.
//
//   - The fast path: an encoder of a kind that we know asks CacheEncode, and gets
//     the list written from its parts by pkg/api/wire. This is what kubectl top,
//     the HPA, the VPA and every typed client ask for.
//   - The fallback is the typed list, for all else: other encodings (pretty JSON,
//     YAML), a Table, metadata alone, and whatever may come.
//
// It is seen as a list in three ways by k8s.io/apimachinery's meta package, which
// goes by reflection for types that it does not know: Items is there to be
// counted; runtime.Unstructured is the one interface by which items are handed
// out one by one, without a field that has them; and ListMeta is the list's own,
// empty metadata.
type list struct {
	metav1.TypeMeta
	metav1.ListMeta
	// Items is as long as the list; its elements take no memory.
	Items []struct{}

	parts  parts
	served *served
}

// parts is what a list is made from: a snapshot, so that it is the same list
// each time that it is made.
type parts interface {
	// wire is the list for the encoders, its version left open.
	wire() wire.List
	// typed is the list as an object of the internal version.
	typed() runtime.Object
	len() int
}

// served is how lists are served.
type served struct {
	writer wire.Writer
	// encodings has the encoders for which there is a fast path.
	encodings map[runtime.Identifier]encoding
}

// encoding is what one encoder writes.
type encoding struct {
	wire    wire.Encoding
	version string
}

var (
	_ runtime.CacheableObject = (*list)(nil)
	_ runtime.Unstructured    = (*list)(nil)
	_ metav1.ListInterface    = (*list)(nil)
)

// newServed prepares the fast path for the encoders that serializer gives the
// generic server for each of versions. An encoder's identifier stands for all
// that decides on what it writes: encoding, options and version.
func newServed(serializer runtime.NegotiatedSerializer, versions []schema.GroupVersion) *served {
	s := &served{encodings: map[runtime.Identifier]encoding{}}
	for _, info := range serializer.SupportedMediaTypes() {
		var how wire.Encoding
		switch info.MediaType {
		case runtime.ContentTypeJSON:
			how = wire.JSON
		case runtime.ContentTypeProtobuf:
			how = wire.Protobuf
		default:
			continue
		}
		for _, version := range versions {
			encoder := serializer.EncoderForVersion(info.Serializer, version)
			s.encodings[encoder.Identifier()] = encoding{wire: how, version: version.Version}
		}
	}
	return s
}

// list is the list of parts.
func (s *served) list(parts parts) *list {
	return &list{Items: make([]struct{}, parts.len()), parts: parts, served: s}
}

// CacheEncode is runtime.CacheableObject's. It is there for encoders to cache
// what they wrote; here it is the door to the fast path.
func (l *list) CacheEncode(id runtime.Identifier, encode func(runtime.Object, io.Writer) error, w io.Writer) error {
	how, ok := l.served.encodings[id]
	if !ok {
		return encode(l.parts.typed(), w)
	}
	content := l.parts.wire()
	content.Version = how.version
	return l.served.writer.Write(w, &content, how.wire)
}

// GetObject is runtime.CacheableObject's.
func (l *list) GetObject() runtime.Object { return l.parts.typed() }

// DeepCopyObject is runtime.Object's: a copy is no longer of parts.
func (l *list) DeepCopyObject() runtime.Object { return l.parts.typed() }

// EachListItem is runtime.Unstructured's, by which metadata is taken from lists.
func (l *list) EachListItem(each func(runtime.Object) error) error {
	return meta.EachListItem(l.parts.typed(), each)
}

// EachListItemWithAlloc is runtime.Unstructured's.
func (l *list) EachListItemWithAlloc(each func(runtime.Object) error) error {
	return meta.EachListItemWithAlloc(l.parts.typed(), each)
}

// IsList is runtime.Unstructured's.
func (*list) IsList() bool { return true }

// NewEmptyInstance, UnstructuredContent and SetUnstructuredContent complete
// runtime.Unstructured; they are of use for objects without a type only.

// NewEmptyInstance is runtime.Unstructured's.
func (*list) NewEmptyInstance() runtime.Unstructured { return &unstructured.UnstructuredList{} }

// UnstructuredContent is runtime.Unstructured's.
func (l *list) UnstructuredContent() map[string]any {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(l.parts.typed())
	if err != nil {
		panic("BUG: a list of metrics has no fields: " + err.Error())
	}
	return content
}

// SetUnstructuredContent is runtime.Unstructured's: a list cannot be changed.
func (*list) SetUnstructuredContent(map[string]any) {}
