// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"io"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/handlers/negotiation"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
)

// document stands for a typed object that is not made unless somebody needs it.
// An encoder of a kind that we know asks CacheEncode, and gets what it would have
// written, from the content's parts; for all others (pretty JSON, YAML, and
// whatever may come), and for audit's copies, the typed object is made.
type document struct {
	metav1.TypeMeta
	content content
	writer  *writer
}

// content is what a document is made from. It is the same each time that it is
// asked.
type content interface {
	// encodes is whether encode can write the content as encoding.
	encodes(encoding wire.Encoding) bool
	// encode writes the content as the typed encoder would.
	encode(out *wire.Chunks, encoding wire.Encoding)
	// typed is the content as an object.
	typed() runtime.Object
}

var _ runtime.CacheableObject = (*document)(nil)

// CacheEncode is runtime.CacheableObject's. It is there for encoders to cache
// what they wrote; here it is the door to encoders of our own.
func (d *document) CacheEncode(id runtime.Identifier, encode func(runtime.Object, io.Writer) error, w io.Writer) error {
	encoding, ok := d.writer.encodings[id]
	if !ok || !d.content.encodes(encoding) {
		return encode(d.content.typed(), w)
	}
	return d.writer.chunks.Stream(w, func(out *wire.Chunks) { d.content.encode(out, encoding) })
}

// GetObject is runtime.CacheableObject's.
func (d *document) GetObject() runtime.Object { return d.content.typed() }

// DeepCopyObject is runtime.Object's: a copy is no longer of parts.
func (d *document) DeepCopyObject() runtime.Object { return d.content.typed() }

// writer writes answers as the client wants them.
type writer struct {
	codecs runtime.NegotiatedSerializer
	chunks wire.Writer
	// encodings has the encoders that we know to write what they would. An
	// encoder's identifier stands for all that decides on what it writes:
	// encoding, options and version.
	encodings map[runtime.Identifier]wire.Encoding
}

// newWriter prepares for documents in each of versions.
func newWriter(codecs runtime.NegotiatedSerializer, versions []schema.GroupVersion) *writer {
	w := &writer{codecs: codecs, encodings: map[runtime.Identifier]wire.Encoding{}}
	for _, info := range codecs.SupportedMediaTypes() {
		var encoding wire.Encoding
		switch info.MediaType {
		case runtime.ContentTypeJSON:
			encoding = wire.JSON
		case runtime.ContentTypeProtobuf:
			encoding = wire.Protobuf
		default:
			continue
		}
		for _, version := range versions {
			w.encodings[codecs.EncoderForVersion(info.Serializer, version).Identifier()] = encoding
		}
	}
	return w
}

// content answers with c in the version, which is empty for what has the one of
// all API servers.
func (w *writer) content(response http.ResponseWriter, request *http.Request, version schema.GroupVersion, c content) {
	w.object(response, request, version, &document{content: c, writer: w})
}

// object answers with an object.
func (w *writer) object(response http.ResponseWriter, request *http.Request, version schema.GroupVersion, object runtime.Object) {
	responsewriters.WriteObjectNegotiated(w.codecs, negotiation.DefaultEndpointRestrictions, version, response, request, http.StatusOK, object, false)
}

// error answers with an error.
func (w *writer) error(response http.ResponseWriter, request *http.Request, err error) {
	responsewriters.ErrorNegotiated(err, w.codecs, schema.GroupVersion{}, response, request)
}
