// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package constant

import (
	"context"
	"fmt"
	"io"
	"strings"

	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/metrics/pkg/apis/metrics"
)

// Body is one list in both encodings.
type Body struct {
	JSON, Protobuf []byte
}

// Bodies are the answers: All to lists of all namespaces, One to lists of one.
type Bodies struct {
	All, One Body
}

// pods is the storage of the resource.
type pods struct {
	bodies Bodies
}

// New is rest.Storage's.
func (*pods) New() runtime.Object { return &metrics.PodMetrics{} }

// NewList is rest.Lister's.
func (*pods) NewList() runtime.Object { return &metrics.PodMetricsList{} }

// Destroy is rest.Storage's.
func (*pods) Destroy() {}

// Kind is rest.KindProvider's.
func (*pods) Kind() string { return "PodMetrics" }

// NamespaceScoped is rest.Scoper's.
func (*pods) NamespaceScoped() bool { return true }

// GetSingularName is rest.SingularNameProvider's.
func (*pods) GetSingularName() string { return "" }

// List is rest.Lister's.
func (p *pods) List(ctx context.Context, _ *metainternalversion.ListOptions) (runtime.Object, error) {
	if genericapirequest.NamespaceValue(ctx) == "" {
		return &list{body: p.bodies.All}, nil
	}
	return &list{body: p.bodies.One}, nil
}

// list is a list that is encoded already. It is a runtime.CacheableObject,
// which the generic server asks for its bytes instead of encoding it.
type list struct {
	metrics.PodMetricsList
	body Body
}

// CacheEncode writes the bytes for an encoder.
func (l *list) CacheEncode(id runtime.Identifier, _ func(runtime.Object, io.Writer) error, w io.Writer) error {
	body := l.body.JSON
	switch {
	case strings.Contains(string(id), "protobuf"):
		body = l.body.Protobuf
	case !strings.Contains(string(id), "json"):
		return fmt.Errorf("there is no body for encoder %s", id)
	}
	_, err := w.Write(body)
	return err
}

// GetObject returns the object itself.
func (l *list) GetObject() runtime.Object { return &l.PodMetricsList }

// DeepCopyObject is runtime.Object's. Lists are not written to.
func (l *list) DeepCopyObject() runtime.Object { return l }

// ConvertToTable is rest.TableConvertor's; nobody asks for one here.
func (*pods) ConvertToTable(context.Context, runtime.Object, runtime.Object) (*metav1.Table, error) {
	return &metav1.Table{}, nil
}
